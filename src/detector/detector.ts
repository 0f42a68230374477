import type { NodeId } from '../core/ids.ts';
import type { Evidence } from './evidence.ts';
import type { LinkState } from './link-watch.ts';
import type { LocalHealth } from './local-health.ts';
import type { DetectorMessage, OutgoingProbe } from './messages.ts';

export interface LinkChange {
  readonly peer: NodeId;
  readonly from: LinkState;
  readonly to: LinkState;
  /** None when the link is up again. */
  readonly evidence: Evidence | undefined;
}

export interface DetectorReady {
  readonly messages: readonly OutgoingProbe[];
  readonly changes: readonly LinkChange[];
}

/** What is known of a peer that is not up. */
export interface Loss {
  readonly state: LinkState;
  readonly evidence: Evidence | undefined;
  readonly isReachedByOthers: boolean;
}

/** Which peers have fallen silent: one link by one (`LinkDetector`), or by asking around (`Swim`). `fittingDetector` chooses. */
export interface Detector {
  readonly health: LocalHealth;
  /** The other members. A new one counts as up. */
  setPeers(peers: readonly NodeId[], nowMs: number): void;
  /** Any frame of the peer. */
  heard(peer: NodeId, nowMs: number): void;
  /** The connection to the peer is gone. */
  lost(peer: NodeId, nowMs: number): void;
  /** The peer, which is heard, has begun a new life. */
  onRestart(peer: NodeId, nowMs: number): void;
  /** A detector's message of a peer, which was also `heard`. */
  step(from: NodeId, message: DetectorMessage, nowMs: number): void;
  /** `missedBy`: who does not hear the peer either, by what they say. */
  tick(nowMs: number, missedBy?: (peer: NodeId) => readonly NodeId[]): void;
  state(peer: NodeId): LinkState;
  evidence(peer: NodeId): Evidence | undefined;
  /** Whether the peer counts as heard: what this node's row says. */
  isHeard(peer: NodeId, nowMs: number): boolean;
  /** Whether frames of the peer came within three heartbeats, stretched by this node's own slowness, even over a link that counts as lost. */
  isAudible(peer: NodeId, nowMs: number): boolean;
  /** Whether others have reached, for us, a peer whose link is lost: the edge is broken, not the node. */
  isReachedByOthers(peer: NodeId): boolean;
  takeReady(): DetectorReady | undefined;
  /** What its successor must not forget. */
  losses(): ReadonlyMap<NodeId, Loss>;
  /** Takes over from another detector, after `setPeers`: who is lost stays so, and nobody else is called lost for not having spoken to that one. */
  adopt(losses: ReadonlyMap<NodeId, Loss>, nowMs: number): void;
}
