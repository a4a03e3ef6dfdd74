/** packaging/kubernetes: what stands twice is the same, and the pod's process does what its probes and its end expect. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse, parseAllDocuments } from "yaml";
import { loadConfigText } from "../../src/config/load.js";
import { portIn } from "../../src/rig/gateway.js";
import { issue } from "../../src/rig/issue.js";
import { imageUser, MountedConfig, seconds, startShutIn } from "../support/container.js";
import { dial, echo, LOOPBACK, startUpstream } from "../support/peers.js";
import { ROOT } from "../support/pieces.js";
import { scenario } from "../support/scenario.js";
import { dialTls, startTlsUpstream } from "../support/tls.js";
import { eventually } from "../support/waiting.js";

interface Probe {
	readonly httpGet: { readonly path: string; readonly port: string };
	readonly periodSeconds: number;
	readonly failureThreshold: number;
}

interface Container {
	readonly image: string;
	readonly args: readonly string[];
	readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
	readonly startupProbe: Probe;
	readonly readinessProbe: Probe;
	readonly livenessProbe: Probe;
	readonly lifecycle: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } };
	readonly resources: { readonly limits: Readonly<Record<string, string>> };
	readonly securityContext: Readonly<Record<string, unknown>>;
	readonly volumeMounts: readonly {
		readonly name: string;
		readonly mountPath: string;
		readonly subPath?: string;
	}[];
}

interface Manifest {
	readonly kind: string;
	readonly metadata: { readonly name: string };
	readonly data?: Readonly<Record<string, string>>;
	readonly spec?: Record<string, unknown>;
}

const manifests = parseAllDocuments(readFileSync(join(ROOT, "packaging/kubernetes/sluice.yaml"), "utf8")).map(
	(document) => {
		assert.deepEqual(document.errors, []);
		return document.toJS() as Manifest;
	},
);
const ofKind = (kind: string): Manifest => {
	const found = manifests.filter((manifest) => manifest.kind === kind);
	assert.equal(found.length, 1, kind);
	return found[0] as Manifest;
};
const configMap = ofKind("ConfigMap");
const text = configMap.data?.["sluice.yaml"] ?? "";
const written = parse(text) as { timeouts: { drain: string } };
const deployment = ofKind("Deployment").spec as {
	selector: { matchLabels: unknown };
	template: {
		metadata: { labels: unknown; annotations: Readonly<Record<string, string>> };
		spec: {
			containers: Container[];
			volumes: { name: string; configMap: { name: string } }[];
			terminationGracePeriodSeconds: number;
			securityContext: Readonly<Record<string, unknown>>;
		};
	};
};
const { spec: pod, metadata } = deployment.template;
const container = pod.containers[0] as Container;
const config = loadConfigText(text, { file: "sluice.yaml" });

test("the ConfigMap's configuration is good, and its ports are those of the container and the service", () => {
	assert.deepEqual(config.warnings, []);
	const admin = config.admin?.kind === "ip" ? config.admin : undefined;
	const ports = new Map(container.ports.map(({ name, containerPort }) => [name, containerPort]));
	assert.deepEqual(
		[...config.listeners.map(({ port }) => port), admin?.port].sort(),
		[...ports.values()].sort(),
	);
	assert.equal(ports.get("admin"), admin?.port);
	// Reached from other pods, and above what needs a right.
	assert.ok([...config.listeners, ...(admin ? [admin] : [])].every(({ host }) => host === "0.0.0.0"));
	assert.ok([...ports.values()].every((port) => port >= 1024));
	assert.equal(metadata.annotations["prometheus.io/port"], String(admin?.port));
	const service = ofKind("Service").spec as {
		selector: unknown;
		ports: { name: string; targetPort: string }[];
	};
	for (const { targetPort } of service.ports) assert.ok(ports.has(targetPort), targetPort);
	assert.ok(service.ports.every(({ targetPort }) => targetPort !== "admin"));
	assert.deepEqual(service.selector, metadata.labels);
	assert.deepEqual(deployment.selector.matchLabels, metadata.labels);
	assert.equal(container.ports.length, service.ports.length + 1);
});

test("the file that is run is the one that is mounted, as a folder that changes with the ConfigMap", () => {
	assert.deepEqual(container.args, ["run", "-c", "/etc/sluice/sluice.yaml"]);
	const [mount] = container.volumeMounts;
	assert.deepEqual([mount?.mountPath, mount?.subPath], ["/etc/sluice", undefined]);
	const [volume] = pod.volumes;
	assert.deepEqual([volume?.name, volume?.configMap.name], [mount?.name, configMap.metadata.name]);
	const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
	assert.equal(container.image, `sluice:${version}`);
});

test("preStop, the drain and two seconds more end before the pod is killed", () => {
	const [command, pause] = container.lifecycle.preStop.exec.command;
	assert.equal(command, "sleep");
	const drain = seconds(written.timeouts.drain);
	assert.ok(Number(pause) >= 5 && drain > 0);
	assert.ok(pod.terminationGracePeriodSeconds > Number(pause) + drain + 2);
});

test("the pod has no right that it does not need", () => {
	const { uid, gid } = imageUser();
	assert.deepEqual(pod.securityContext, {
		runAsNonRoot: true,
		runAsUser: uid,
		runAsGroup: gid,
		seccompProfile: { type: "RuntimeDefault" },
	});
	assert.deepEqual(container.securityContext, {
		allowPrivilegeEscalation: false,
		readOnlyRootFilesystem: true,
		capabilities: { drop: ["ALL"] },
	});
	assert.ok("memory" in container.resources.limits);
});

scenario(
	"the pod's process, shut in as the manifest says, answers its probes, takes a changed ConfigMap, and drains",
	async (scenario) => {
		const git = await startTlsUpstream(scenario, issue({ commonName: "git.test" }), echo);
		const apps = await startUpstream(scenario, echo);
		const onLoopback = (upstream: string): string =>
			text
				.replace(/0\.0\.0\.0:\d+/g, `${LOOPBACK}:0`)
				.replace(", insecure: true", "")
				.replace("git.default.svc.cluster.local.:443", upstream)
				.replace("apps.default.svc.cluster.local.:443", apps.address)
				// Descriptors are the machine's.
				.replace(/connections: \d+/, "connections: 100");
		// A server that nobody runs, until the ConfigMap is changed.
		const mounted = new MountedConfig(scenario, "sluice.yaml", onLoopback(`${LOOPBACK}:1`));
		const sluice = startShutIn(scenario, mounted.folder, join(mounted.folder, "sluice.yaml"));
		const [line] = await sluice.printed(/^.*"message":"ready".*$/m);
		const { listeners, admin } = JSON.parse(line) as { listeners: string[]; admin: string };
		const probe = async ({ httpGet }: Probe): Promise<number> =>
			(await fetch(`http://${LOOPBACK}:${portIn(admin)}${httpGet.path}`)).status;
		for (const each of [container.startupProbe, container.readinessProbe, container.livenessProbe]) {
			assert.equal(each.httpGet.port, "admin");
			assert.equal(await probe(each), 200);
		}
		mounted.put("sluice.yaml", onLoopback(git.address));
		await sluice.printed(/"message":"reloaded"/);
		const port = portIn(listeners[0] ?? "");
		const visitor = await dialTls(scenario, port, "git.example.com");
		await visitor.send("clone");
		await visitor.expect("clone");

		sluice.signal("SIGTERM");
		await sluice.printed(/"message":"draining"/);
		assert.equal(await probe(container.readinessProbe), 503);
		assert.equal(await probe(container.livenessProbe), 200);
		await eventually(
			() =>
				dial(scenario, port).then(
					() => undefined,
					({ code }) => code === "ECONNREFUSED" || undefined,
				),
			() => "new clients are still accepted",
		);
		await visitor.send("still here");
		await visitor.expect("still here");
		visitor.end();
		assert.equal(await sluice.exited, 0, sluice.output);
		assert.equal(sluice.stderr, "");
	},
	{ needs: ["setpriv", "unshare", "root"] },
);
