/** Opens an Initial of a client as one would with node:crypto (RFC 9001, section 5): what the calls of OpenSSL are compared with. */
import { createCipheriv, createDecipheriv, createHmac } from "node:crypto";
import type { InitialVersion } from "../../src/protocol/quic/versions.js";

export interface Keys {
	readonly key: Uint8Array;
	readonly iv: Uint8Array;
	readonly headerKey: Uint8Array;
}

export class NodeCrypto {
	readonly #salt: Uint8Array;
	readonly #labels: {
		readonly secret: Uint8Array;
		readonly key: Uint8Array;
		readonly iv: Uint8Array;
		readonly hp: Uint8Array;
	};

	constructor({ salt, secretLabel, labelPrefix }: InitialVersion) {
		this.#salt = salt;
		this.#labels = {
			secret: labelOf(secretLabel, 32),
			key: labelOf(`${labelPrefix}key`, 16),
			iv: labelOf(`${labelPrefix}iv`, 12),
			hp: labelOf(`${labelPrefix}hp`, 16),
		};
	}

	keys(connectionId: Uint8Array): Keys {
		const secret = hmac(hmac(this.#salt, connectionId), this.#labels.secret);
		return {
			key: hmac(secret, this.#labels.key).subarray(0, 16),
			iv: hmac(secret, this.#labels.iv).subarray(0, 12),
			headerKey: hmac(secret, this.#labels.hp).subarray(0, 16),
		};
	}

	/** The payload of the packet whose number begins at `number`; `undefined`: it is not authentic. */
	open(packet: Uint8Array, number: number, { key, iv, headerKey }: Keys): Uint8Array | undefined {
		const mask = createCipheriv("aes-128-ecb", headerKey, null).update(
			packet.subarray(number + 4, number + 20),
		);
		const header = Buffer.from(packet.subarray(0, number + 4));
		header[0] = (header[0] as number) ^ ((mask[0] as number) & 15);
		const length = ((header[0] as number) & 3) + 1;
		let value = 0;
		for (let i = 0; i < length; i++) {
			header[number + i] = (header[number + i] as number) ^ (mask[1 + i] as number);
			value = value * 256 + (header[number + i] as number);
		}
		const nonce = Buffer.from(iv);
		nonce.writeUInt32BE((nonce.readUInt32BE(8) ^ value) >>> 0, 8);
		const cipher = createDecipheriv("aes-128-gcm", key, nonce);
		cipher.setAAD(header.subarray(0, number + length));
		cipher.setAuthTag(packet.subarray(packet.length - 16));
		const payload = cipher.update(packet.subarray(number + length, packet.length - 16));
		try {
			cipher.final();
		} catch {
			return undefined;
		}
		return payload;
	}
}

function hmac(key: Uint8Array, data: Uint8Array): Buffer {
	return createHmac("sha256", key).update(data).digest();
}

function labelOf(label: string, bytes: number): Uint8Array {
	return Buffer.concat([
		Buffer.of(0, bytes, 6 + label.length),
		Buffer.from(`tls13 ${label}`),
		Buffer.of(0, 1),
	]);
}
