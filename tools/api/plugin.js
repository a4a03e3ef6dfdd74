/** What says the same of every class is said once here, and what is for Node's own streams is left out. */
import { Comment, Converter, ReflectionKind } from "typedoc";

const OF_ERRORS = {
	name: "The name of the class.",
	code: "What programs tell errors apart by. It does not change from version to version.",
};

/** @param {import("typedoc").Application} app */
export function load(app) {
	app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
		for (const member of project.getReflectionsByKind(ReflectionKind.ClassMember)) {
			if (!member.parent?.kindOf(ReflectionKind.Class)) continue;
			// _read and the like, by which a stream of Node is implemented.
			if (member.name.startsWith("_")) project.removeReflection(member);
			else if (member.parent.name.endsWith("Error") && member.name in OF_ERRORS)
				member.comment ??= new Comment([{ kind: "text", text: OF_ERRORS[member.name] }]);
		}
	});
}
