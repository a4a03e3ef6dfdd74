import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { makeMemoryGroup, placesFor } from "../../src/drill/memory-group.js";

const MIB = 1024 * 1024;

function mount(root: string, at: string, type: string, options: string): string {
	return `36 35 98:0 ${root} ${at} rw,nosuid - ${type} ${type} ${options}`;
}

test("of version 1 a group is made within the own group of the memory controller", () => {
	const mounts = [
		mount("/", "/sys/fs/cgroup/cpu", "cgroup", "rw,cpu"),
		mount("/", "/sys/fs/cgroup/memory", "cgroup", "rw,memory"),
	].join("\n");
	assert.deepEqual(placesFor("4:memory:/shop/one\n1:cpu:/\n0::/\n", mounts), [
		{ version: "cgroup", directory: "/sys/fs/cgroup/memory/shop/one" },
	]);
});

test("within a container the path begins where the mount does", () => {
	const mounts = mount("/docker/0123", "/sys/fs/cgroup/memory", "cgroup", "ro,memory");
	assert.deepEqual(placesFor("4:hugetlb,memory:/docker/0123/inner\n", mounts), [
		{ version: "cgroup", directory: "/sys/fs/cgroup/memory/inner" },
	]);
});

test("of version 2 a group is made within the own group, or beside it", () => {
	const mounts = mount("/", "/sys/fs/cgroup", "cgroup2", "rw,nsdelegate");
	assert.deepEqual(placesFor("0::/user.slice/session-1.scope\n", mounts), [
		{ version: "cgroup2", directory: "/sys/fs/cgroup/user.slice/session-1.scope" },
		{ version: "cgroup2", directory: "/sys/fs/cgroup/user.slice" },
	]);
	assert.deepEqual(placesFor("0::/\n", mounts), [{ version: "cgroup2", directory: "/sys/fs/cgroup" }]);
});

test("where there are no control groups there is no place for one", () => {
	assert.deepEqual(placesFor("", mount("/", "/", "ext4", "rw")), []);
});

test("whoever takes more than a group has is killed, and that is told; or the reason says why there is none", () => {
	const group = makeMemoryGroup(64 * MIB);
	if (typeof group === "string") {
		assert.notEqual(group, "");
		return;
	}
	try {
		assert.equal(group.read().oomKills, 0);
		const [command = "", ...args] = [
			...group.enter,
			process.execPath,
			"-e",
			"Buffer.alloc(200 * 1024 * 1024, 1)",
		];
		const { signal } = spawnSync(command, args);
		assert.equal(signal, "SIGKILL");
		const { oomKills, peakBytes, limitBytes } = group.read();
		assert.ok(oomKills >= 1);
		assert.equal(limitBytes, 64 * MIB);
		if (peakBytes !== null) assert.ok(peakBytes > 32 * MIB && peakBytes <= limitBytes);
	} finally {
		group.remove();
	}
});
