import { failure, failureCode, type Failure } from '../core/errors.ts';
import { pack, unpack } from './pack.ts';

// The stream's messages (docs/stream.md): each WebSocket message is one msgpack array, of requests towards the node and of replies towards the client, so that
// everything one turn of an event loop produced travels together.

/** A message towards the node: a batch of commands and one large value fit; a client has no reason to send more at once. */
export const maxStreamMessageBytes = 4 * 1024 * 1024;

export type StreamRequest = readonly [id: number, kind: string, ...args: unknown[]];

/** `[id, 0, value]` or `[id, 1, code, detail, data]`; what the node says unasked has id 0: `[0, name, value]`. */
export type StreamReply = readonly unknown[];

export const encodeStreamMessage = (items: readonly (StreamRequest | StreamReply)[]): Uint8Array => pack(items);

/** The requests of a message; undefined when it isn't an array of `[id, kind, …]`. */
export function decodeRequests(bytes: Uint8Array): StreamRequest[] | undefined {
  const items = unpack(bytes);
  if (!Array.isArray(items)) return undefined;
  const isRequest = (item: unknown): item is StreamRequest =>
    Array.isArray(item) && Number.isSafeInteger(item[0]) && Number(item[0]) >= 0 && typeof item[1] === 'string';
  return items.every(isRequest) ? items : undefined;
}

/** The replies of a message; undefined when it isn't an array of arrays. */
export function decodeReplies(bytes: Uint8Array): StreamReply[] | undefined {
  const items = unpack(bytes);
  return Array.isArray(items) && items.every((item) => Array.isArray(item)) ? items : undefined;
}

export const failureReply = (id: number, why: Failure): StreamReply => [id, 1, why.code, why.detail, why.data ?? null];

/** The failure in a reply `[id, 1, code, detail, data]`. */
export function readFailure(reply: StreamReply): Failure {
  const [, , code, detail, data] = reply;
  return failure(
    failureCode(code),
    typeof detail === 'string' ? detail : 'no detail',
    typeof data === 'object' && data !== null ? { ...data } : undefined,
  );
}
