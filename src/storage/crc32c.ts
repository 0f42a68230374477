/** Eight tables, so that eight bytes take eight look-ups and no wait for each other ("slicing by 8"). */
const tables = makeTables();
const table = (n: number): Uint32Array => tables.subarray(256 * n, 256 * (n + 1));
const [t0, t1, t2, t3, t4, t5, t6, t7] = [table(0), table(1), table(2), table(3), table(4), table(5), table(6), table(7)];

function makeTables(): Uint32Array {
  const all = new Uint32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f6_3b78 : 0);
    all[byte] = crc;
  }
  for (let i = 256; i < all.length; i++) {
    const crc = all[i - 256] ?? 0;
    all[i] = (crc >>> 8) ^ (all[crc & 0xff] ?? 0);
  }
  return all;
}

/** CRC-32C (Castagnoli), with which LevelDB protects its files; zlib has only the other one. */
export function crc32c(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let crc = 0xffff_ffff;
  let at = 0;
  for (const end = bytes.length - 7; at < end; at += 8) {
    const low = crc ^ view.getUint32(at, true);
    const high = view.getUint32(at + 4, true);
    crc =
      (t7[low & 0xff] ?? 0) ^
      (t6[(low >>> 8) & 0xff] ?? 0) ^
      (t5[(low >>> 16) & 0xff] ?? 0) ^
      (t4[low >>> 24] ?? 0) ^
      (t3[high & 0xff] ?? 0) ^
      (t2[(high >>> 8) & 0xff] ?? 0) ^
      (t1[(high >>> 16) & 0xff] ?? 0) ^
      (t0[high >>> 24] ?? 0);
  }
  for (; at < bytes.length; at++) crc = (crc >>> 8) ^ (t0[(crc ^ view.getUint8(at)) & 0xff] ?? 0);
  return (crc ^ 0xffff_ffff) >>> 0;
}
