import { type ByteReader, type ByteWriter, encode } from './bytes.ts';
import type { OfPhase, Statement, Vote } from './statement.ts';
import type { Value } from './witness.ts';

// A statement names up to 12 values, mostly one and the same: they are written once, in the order of their first use, and each vote has the place of its
// value in that list.

const maxValues = 12;
const none = 255;

/** A statement is said to every member, and kept: it is encoded once. */
const encoded = new WeakMap<Statement, Uint8Array>();

export function writeStatement(writer: ByteWriter, statement: Statement): void {
  const bytes = encoded.get(statement) ?? encode(statement, writeFields);
  encoded.set(statement, bytes);
  writer.fixed(bytes);
}

function writeFields(writer: ByteWriter, statement: Statement): void {
  const { boot, revision, view, viewChange, frozen, previous, current, proposed, decided } = statement;
  const votes = [...frozen, ...previous];
  const singles = [...current, proposed, decided];
  const places = new Map<Value, number>();
  for (const value of [...votes.map((vote) => vote?.value), ...singles])
    if (value !== undefined && !places.has(value)) places.set(value, places.size);
  writer.u32(boot).u32(revision).u32(view).u32(viewChange).u8(places.size);
  for (const value of places.keys()) writer.digest(value);
  const place = (value: Value | undefined): number => (value === undefined ? none : (places.get(value) ?? none));
  for (const vote of votes) {
    writer.u8(place(vote?.value));
    if (vote !== undefined) writer.u32(vote.view);
  }
  for (const value of singles) writer.u8(place(value));
}

export function readStatement(reader: ByteReader): Statement {
  const [boot, revision, view, viewChange] = [reader.u32(), reader.u32(), reader.u32(), reader.u32()];
  const values = reader.list(reader.u8(0, maxValues), () => reader.digest());
  let used = 0;
  const value = (): Value | undefined => {
    const place = reader.u8();
    if (place === used) used++;
    else if (place !== none && place > used) reader.fail();
    return values[place];
  };
  const vote = (): Vote | undefined => {
    const of = value();
    return of === undefined ? undefined : { value: of, view: reader.u32() };
  };
  const frozen: OfPhase<Vote | undefined> = [vote(), vote(), vote(), vote()];
  const previous: readonly [Vote | undefined, Vote | undefined] = [vote(), vote()];
  const current: OfPhase<Value | undefined> = [value(), value(), value(), value()];
  const [proposed, decided] = [value(), value()];
  // There is one encoding only: with each value once, in the order of their first use.
  if (used !== values.length || new Set(values).size !== used) reader.fail();
  return { boot, revision, view, viewChange, frozen, previous, current, proposed, decided };
}
