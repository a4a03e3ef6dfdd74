/** Certificates in the files of the configuration: whether they can be used, and for how long. */
import type { Asked } from "../asked.js";
import { type Finding, finding } from "../finding.js";

const DAY_MS = 86_400_000;
/** A third of the 90 days for which most are issued: when renewal by itself should have happened. */
const NEAR_DAYS = 21;

export function checkCertificates({ facts }: Asked): Finding[] {
	const { problems, warnings, expiries } = facts.certificates;
	const why = "clients refuse a certificate out of date, and what is encrypted with it stops at that minute";
	const mend = (file: string) => ({
		now: `openssl x509 -in ${file} -noout -enddate -issuer`,
		keep: { file, text: "a renewed chain; it is taken up within tls.reload, without a restart" },
	});
	const dates = expiries.map(({ file, expiresMs }) => {
		const days = Math.floor((expiresMs - facts.nowMs) / DAY_MS);
		const date = new Date(expiresMs).toISOString().slice(0, 10);
		const id = `certificates.${file}`;
		if (expiresMs <= facts.nowMs)
			return finding(id, "fails", `${file} has expired on ${date}`, why, mend(file));
		const found = `${file} expires on ${date}, in ${days} ${days === 1 ? "day" : "days"}`;
		return days < NEAR_DAYS ? finding(id, "advice", found, why, mend(file)) : finding(id, "fine", found, why);
	});
	const expired = expiries.filter(({ expiresMs }) => expiresMs <= facts.nowMs).map(({ file }) => file);
	const others = warnings.filter(
		(warning) => !(/expired/.test(warning) && expired.some((file) => warning.includes(file))),
	);
	return [
		...problems.map((problem) =>
			finding("certificates.unusable", "fails", problem, "the gateway does not start with it"),
		),
		...dates,
		...others.map((warning) =>
			finding("certificates.warning", "advice", warning, "the gateway starts, and clients refuse it"),
		),
	];
}
