import { createHash, type Hash } from 'node:crypto';
import { type LogIndex, nodeId, type NodeId, type Term } from '../core/ids.ts';
import type { Configuration } from '../raft/messages.ts';

/** What a snapshot file says of itself before its chunks. */
export interface SnapshotHeader {
  readonly clusterId: string;
  /** The node that wrote it, and its program's version. */
  readonly nodeId: NodeId;
  readonly version: string;
  /** The moment of the log that it holds. */
  readonly index: LogIndex;
  readonly term: Term;
  readonly configuration: Configuration;
  readonly chunks: number;
}

/** Not a snapshot file, or not whole, or not as it was written. `message` says what in a few words. */
export class SnapshotFileError extends Error {
  override readonly name = 'SnapshotFileError';
}

const magic = new TextEncoder().encode('QUORSNAP');
/** Rises with every change of the layout. */
const formatVersion = 1;
const digestBytes = 32;
/** A header names at most some hundred nodes. */
const maxHeaderBytes = 1024 * 1024;
/** A chunk and one record more. */
const maxChunkBytes = 8 * 1024 * 1024;

/**
 * A snapshot as a file, piece by piece: the magic word, the format and the header's length (32 bits each, little-endian), the header as JSON, each chunk
 * after its length, and the SHA-256 of all that.
 */
export async function* writeSnapshotFile(
  header: SnapshotHeader,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = createHash('sha256');
  const text = new TextEncoder().encode(JSON.stringify(header));
  const start = Buffer.concat([magic, number32(formatVersion), number32(text.length), text]);
  hash.update(start);
  yield start;
  for await (const chunk of chunks) {
    const piece = Buffer.concat([number32(chunk.length), chunk]);
    hash.update(piece);
    yield piece;
  }
  yield hash.digest();
}

/**
 * Reads a snapshot file. The chunks may be believed only when all of them were taken without an error: the checksum stands at the end.
 *
 * @throws SnapshotFileError also from `chunks`.
 */
export async function readSnapshotFile(
  source: AsyncIterable<Uint8Array>,
): Promise<{ readonly header: SnapshotHeader; readonly chunks: AsyncGenerator<Uint8Array, void, undefined> }> {
  const bytes = new Pieces(source);
  const start = await bytes.take(magic.length + 8, 'its first bytes are missing').catch(() => Buffer.alloc(magic.length + 8));
  if (!start.subarray(0, magic.length).equals(magic)) throw new SnapshotFileError('it is not a snapshot of quorate');
  const format = start.readUInt32LE(magic.length);
  if (format !== formatVersion) throw new SnapshotFileError(`it has format ${format}, and this program reads format ${formatVersion}`);
  const length = start.readUInt32LE(magic.length + 4);
  if (length > maxHeaderBytes) throw new SnapshotFileError('its header is damaged');
  const header = parseHeader((await bytes.take(length, 'its header is cut off')).toString('utf8'));
  return { header, chunks: readChunks(bytes, header.chunks) };
}

async function* readChunks(bytes: Pieces, chunks: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let chunk = 0; chunk < chunks; chunk++) {
    const missing = `it ends after ${chunk} of ${chunks} chunks`;
    const length = (await bytes.take(4, missing)).readUInt32LE(0);
    if (length > maxChunkBytes) throw new SnapshotFileError(`chunk ${chunk} is damaged`);
    yield await bytes.take(length, missing);
  }
  const digest = bytes.digest();
  if (!(await bytes.take(digestBytes, 'its checksum is cut off')).equals(digest))
    throw new SnapshotFileError('its checksum is not that of its content');
  if (!(await bytes.isAtEnd())) throw new SnapshotFileError('something follows its end');
}

function parseHeader(text: string): SnapshotHeader {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new SnapshotFileError('its header is damaged');
  }
  if (!isHeader(value)) throw new SnapshotFileError('its header is damaged');
  return { ...value, nodeId: nodeId(value.nodeId) };
}

function isHeader(value: unknown): value is SnapshotHeader {
  if (!isRecord(value) || !isRecord(value['configuration'])) return false;
  const { voters, outgoing, learners, learnersNext, autoLeave } = value['configuration'];
  const areTexts = ['clusterId', 'nodeId', 'version'].every((name) => typeof value[name] === 'string' && value[name] !== '');
  const areNumbers = ['index', 'term', 'chunks'].every((name) => Number.isSafeInteger(value[name]) && Number(value[name]) >= 0);
  const areLists = [voters, outgoing, learners, learnersNext].every(
    (ids) => Array.isArray(ids) && ids.every((id) => typeof id === 'string'),
  );
  return areTexts && areNumbers && areLists && typeof autoLeave === 'boolean';
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null;

function number32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** Takes bytes off a stream in the lengths that are wanted, and sums up all that was taken. */
class Pieces {
  readonly #hash: Hash = createHash('sha256');
  readonly #source: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array();
  #hasEnded = false;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  async take(length: number, missing: string): Promise<Buffer> {
    const taken = Buffer.alloc(length);
    for (let at = 0; at < length; ) {
      if (this.#rest.length === 0) await this.#pull();
      if (this.#hasEnded) throw new SnapshotFileError(missing);
      const some = this.#rest.subarray(0, length - at);
      taken.set(some, at);
      this.#rest = this.#rest.subarray(some.length);
      at += some.length;
    }
    this.#hash.update(taken);
    return taken;
  }

  /** SHA-256 of all that was taken so far. */
  digest(): Buffer {
    return this.#hash.copy().digest();
  }

  async isAtEnd(): Promise<boolean> {
    while (this.#rest.length === 0 && !this.#hasEnded) await this.#pull();
    return this.#hasEnded;
  }

  async #pull(): Promise<void> {
    const next = await this.#source.next();
    if (next.done === true) this.#hasEnded = true;
    else this.#rest = next.value;
  }
}
