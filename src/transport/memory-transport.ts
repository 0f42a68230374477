import { assert } from '../core/assert.ts';
import { copyBytes } from '../core/bytes.ts';
import type { NodeId } from '../core/ids.ts';
import type { Transport, TransportHandlers, TransportStats } from './transport.ts';

/** One life of the link between two nodes. What is on its way when it goes down is lost with it. */
interface MemoryLink {
  up: boolean;
}

type Counters = { -readonly [Name in keyof TransportStats]: number };

const noCounts: TransportStats = {
  framesSent: 0,
  framesReceived: 0,
  bytesSent: 0,
  bytesReceived: 0,
  framesDropped: 0,
  strangersRefused: 0,
  badStreams: 0,
};

interface Endpoint {
  readonly handlers: TransportHandlers;
  readonly counters: Counters;
}

/**
 * The twin of the libp2p transport for tests and simulations: everybody who has joined is linked with everybody else, unless cut. Deterministic:
 * every call of a handler is a task given to `schedule`, which must run the tasks of a link in order. It never drops a frame of a link that stays up.
 */
export class MemoryNetwork {
  readonly #schedule: (task: () => void) => void;
  readonly #endpoints = new Map<NodeId, Endpoint>();
  readonly #links = new Map<string, MemoryLink>();
  readonly #cuts = new Set<string>();

  constructor(schedule: (task: () => void) => void) {
    this.#schedule = schedule;
  }

  join(nodeId: NodeId, handlers: TransportHandlers): Transport & { dropLink(peer: NodeId): void } {
    assert(!this.#endpoints.has(nodeId), 'a node joins a memory network once at a time');
    const endpoint: Endpoint = { handlers, counters: { ...noCounts } };
    this.#endpoints.set(nodeId, endpoint);
    for (const peer of this.#endpoints.keys()) this.#bringUp(nodeId, peer);
    return {
      get stats(): TransportStats {
        return { ...endpoint.counters };
      },
      send: (to, frame) => {
        // A node that has stopped sends no more, even if another has taken its name.
        if (this.#endpoints.get(nodeId) === endpoint) this.#send(nodeId, endpoint, to, frame);
      },
      dropLink: (peer) => {
        this.#bringDown(nodeId, peer);
        this.#bringUp(nodeId, peer);
      },
      stop: () => {
        if (this.#endpoints.get(nodeId) === endpoint) {
          for (const peer of this.#endpoints.keys()) this.#bringDown(nodeId, peer);
          this.#endpoints.delete(nodeId);
        }
        return Promise.resolve();
      },
    };
  }

  /** Takes the link between two nodes down, both ways, until `heal`. */
  cut(a: NodeId, b: NodeId): void {
    this.#cuts.add(pair(a, b));
    this.#bringDown(a, b);
  }

  /** Undoes every cut. */
  heal(): void {
    this.#cuts.clear();
    const nodes = [...this.#endpoints.keys()];
    for (const [i, a] of nodes.entries()) for (const b of nodes.slice(i + 1)) this.#bringUp(a, b);
  }

  #send(from: NodeId, sender: Endpoint, to: NodeId, frame: Uint8Array): void {
    const link = this.#links.get(pair(from, to));
    const receiver = this.#endpoints.get(to);
    if (link === undefined || receiver === undefined) return;
    const bytes = copyBytes(frame);
    sender.counters.framesSent++;
    sender.counters.bytesSent += bytes.length;
    this.#schedule(() => {
      if (!link.up) return;
      receiver.counters.framesReceived++;
      receiver.counters.bytesReceived += bytes.length;
      receiver.handlers.onFrame(from, bytes);
    });
  }

  #bringUp(a: NodeId, b: NodeId): void {
    const name = pair(a, b);
    if (a === b || this.#links.has(name) || this.#cuts.has(name) || !this.#endpoints.has(a) || !this.#endpoints.has(b)) return;
    this.#links.set(name, { up: true });
    this.#tell(a, b, true);
    this.#tell(b, a, true);
  }

  #bringDown(a: NodeId, b: NodeId): void {
    const name = pair(a, b);
    const link = this.#links.get(name);
    if (link === undefined) return;
    link.up = false;
    this.#links.delete(name);
    this.#tell(a, b, false);
    this.#tell(b, a, false);
  }

  #tell(node: NodeId, peer: NodeId, up: boolean): void {
    const endpoint = this.#endpoints.get(node);
    // A node that has stopped by then hears nothing more.
    this.#schedule(() => {
      if (endpoint !== undefined && this.#endpoints.get(node) === endpoint) endpoint.handlers.onLink(peer, up);
    });
  }
}

const pair = (a: NodeId, b: NodeId): string => (a < b ? `${a} ${b}` : `${b} ${a}`);
