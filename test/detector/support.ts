import { nodeId, type NodeId } from '../../src/core/ids.ts';
import { SeededRandom } from '../../src/core/random.ts';
import { LinkDetector } from '../../src/detector/link-detector.ts';
import type { LinkState } from '../../src/detector/link-watch.ts';
import type { DetectorMessage, OutgoingProbe } from '../../src/detector/messages.ts';
import { Swim } from '../../src/detector/swim.ts';

export const names = (count: number): NodeId[] => Array.from({ length: count }, (_, i) => nodeId(`n${i + 1}`));

export const tickMs = 20;
export const heartbeatMs = 100;

/** A node that hears beats of its peers every 100 ms, as far as they beat, and looks every 20 ms. */
export class Listener {
  readonly detector: LinkDetector;
  readonly #peers: readonly NodeId[];
  nowMs = 0;

  constructor(peers: readonly NodeId[], seed = 1) {
    this.#peers = peers;
    this.detector = new LinkDetector({ self: nodeId('self'), tickMs, heartbeatMs, random: new SeededRandom(seed) }, 0);
    this.detector.setPeers(peers, 0);
  }

  /** Lets time pass; `silent` peers don't beat. */
  run(forMs: number, silent: readonly NodeId[] = []): void {
    for (const endMs = this.nowMs + forMs; this.nowMs < endMs; ) {
      this.nowMs += tickMs;
      if (this.nowMs % heartbeatMs === 0) for (const peer of this.#peers) if (!silent.includes(peer)) this.detector.heard(peer, this.nowMs);
      this.detector.tick(this.nowMs);
    }
  }
}

/** Detectors that talk over links with a fixed delay of one tick, which can be cut one way. */
export class SwimNetwork {
  readonly nodes = new Map<NodeId, Swim>();
  readonly down = new Set<NodeId>();
  /** Nodes whose process stands still: their messages wait. */
  readonly paused = new Set<NodeId>();
  readonly #queue: { readonly from: NodeId; readonly to: NodeId; readonly message: DetectorMessage }[] = [];
  nowMs = 0;

  constructor(count: number) {
    const all = names(count);
    for (const [i, self] of all.entries()) {
      const swim = new Swim({ self, tickMs: 50, heartbeatMs, random: new SeededRandom(i + 1), incarnation: 1 }, 0);
      swim.setPeers(all.filter((peer) => peer !== self));
      this.nodes.set(self, swim);
    }
  }

  of(node: NodeId): Swim {
    const swim = this.nodes.get(node);
    if (swim === undefined) throw new Error(`no ${node}`);
    return swim;
  }

  run(forMs: number): void {
    for (const endMs = this.nowMs + forMs; this.nowMs < endMs; ) {
      this.nowMs += 50;
      const waiting = this.#queue.splice(0);
      for (const [self, swim] of this.nodes) {
        if (this.down.has(self) || this.paused.has(self)) continue;
        swim.tick(this.nowMs);
      }
      for (const { from, to, message } of waiting) {
        if (this.down.has(to) || this.down.has(from)) continue;
        if (this.paused.has(to)) this.#queue.push({ from, to, message });
        else {
          this.of(to).heard(from, this.nowMs);
          this.of(to).step(from, message, this.nowMs);
        }
      }
      for (const [self, swim] of this.nodes) this.#send(self, swim.takeReady()?.messages ?? []);
    }
  }

  #send(from: NodeId, messages: readonly OutgoingProbe[]): void {
    for (const { to, message } of messages) this.#queue.push({ from, to, message });
  }

  /** For whom the node is in this state. */
  saying(node: NodeId, state: LinkState): NodeId[] {
    return [...this.nodes]
      .filter(([self, swim]) => self !== node && !this.down.has(self) && swim.state(node) === state)
      .map(([self]) => self);
  }
}
