import { copyBytes } from '../core/bytes.ts';
import type { NodeId } from '../core/ids.ts';
import type { Row } from '../partition/row.ts';
import { pack, unpack } from './pack.ts';
import { FieldReader } from './reader.ts';

const rowVersion = 1;
export const signatureBytes = 64;

/** The members in an order that all agree on: rows name them by their places. */
export interface Places {
  readonly members: readonly NodeId[];
  /** A hash of the list. A frame of somebody who has another list is dropped: in a moment both have the same. */
  readonly check: number;
}

export function placesOf(members: readonly NodeId[]): Places {
  const sorted = members.toSorted((a, b) => (a < b ? -1 : Number(a !== b)));
  let check = 0x811c9dc5;
  // FNV-1a: not against malice, but against two nodes that speak of different lists.
  for (const character of sorted.join()) check = Math.imul(check ^ character.charCodeAt(0), 0x01000193) >>> 0;
  return { members: sorted, check };
}

/** What a node signs of its row: nothing else that it signs begins like this. */
export const signedRow = (clusterTag: number, places: Places, row: Omit<Row, 'signature'>): Uint8Array =>
  pack(['quorate/row/v1', clusterTag, places.check, ...unsignedFields(row, places)]);

/** A signed row by itself, as the gossip carries it: well within a value of 512 bytes, for up to 1,024 members. */
export const encodeRow = (places: Places, row: Row): Uint8Array => pack([rowVersion, places.check, ...rowFields(row, places)]);

/** Reads a row of anyone, or says in a word why not. Whose it is only its signature shows. */
export function decodeRow(places: Places, bytes: Uint8Array): Row | 'malformed' | 'version' | 'members' {
  const r = new FieldReader(unpack(bytes));
  const version = r.int();
  if (version !== rowVersion) return version === 0 ? 'malformed' : 'version';
  if (r.int() !== places.check) return 'members';
  const row = readRow(r, places);
  return row !== undefined && r.ok ? row : 'malformed';
}

export const rowFields = (row: Row, places: Places): readonly unknown[] => [...unsignedFields(row, places), row.signature];

function unsignedFields(
  { node, boot, seq, heard, term, leader, commitIndex, electable, healing, score }: Omit<Row, 'signature'>,
  { members }: Places,
): readonly unknown[] {
  const bits = new Uint8Array(Math.ceil(members.length / 8));
  for (const peer of heard) {
    const place = members.indexOf(peer);
    if (place >= 0) bits[place >> 3] = (bits[place >> 3] ?? 0) | (1 << (place & 7));
  }
  const led = leader === undefined ? -1 : members.indexOf(leader);
  return [members.indexOf(node), boot, seq, bits, term, led < 0 ? null : led, commitIndex, electable, healing, score];
}

export function readRow(r: FieldReader, { members }: Places): Row | undefined {
  const node = members[r.int(0, members.length - 1)];
  const boot = r.int();
  const seq = r.int();
  const bits = r.bytes(Math.ceil(members.length / 8));
  const heard = members.filter((_, place) => ((bits[place >> 3] ?? 0) & (1 << (place & 7))) !== 0);
  const term = r.int();
  const leader = r.optional(() => members[r.int(0, members.length - 1)]);
  const commitIndex = r.int();
  const [electable, healing, score] = [r.boolean(), r.boolean(), r.int(0, 8)];
  const signature = copyBytes(r.bytes(signatureBytes));
  return node && { node, boot, seq, heard, term, leader, commitIndex, electable, healing, score, signature };
}
