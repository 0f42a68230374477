import { assert, defined } from '../core/assert.ts';
import { equalBytes } from '../core/bytes.ts';
import { ByteWriter, digestBytes, label } from './bytes.ts';
import type { AgreementKey, Hashes, Sign, VerifySignature } from './crypto.ts';
import { configurationDigest } from './encoding.ts';
import type { EpochConfiguration, MemberIndex } from './epoch.ts';
import { clusterTagOf, closeFrame, decodeFrame, encodeFrame, type Frame, type FrameHeader, tagBytes, toAll } from './frame.ts';
import { decodeAnnouncement, encodeAnnouncement, isAnnouncementSigned } from './key-announcement.ts';
import { ReplayWindow } from './replay-window.ts';

/** How long frames under a key are taken after its successor was announced: they were under way. */
export const oldGenerationMs = 2000;

/** A node's own key for the keys of its MACs. */
export interface OwnKey {
  readonly key: AgreementKey;
  /** Above that of every earlier key of the node, and durable: from 1. */
  readonly generation: number;
}

export interface AuthenticatorOptions {
  readonly hashes: Hashes;
  readonly verify: VerifySignature;
  readonly sign: Sign;
  readonly configuration: EpochConfiguration;
  /** This node's place in the configuration. */
  readonly self: MemberIndex;
  readonly ownKey: OwnKey;
  /** This node's count of its starts, durable before the first frame: from 1. */
  readonly boot: number;
}

/** What became of an announcement. */
export type Learned = 'new' | 'known' | 'outdated' | 'refused';

/** Why a frame was dropped; each is counted. */
export type Refusal =
  | 'malformed'
  | 'other_cluster'
  /** Of an older or newer epoch; the sender of a newer one knows a configuration that this node lacks. */
  | 'other_epoch'
  | 'not_a_member'
  | 'not_for_me'
  | 'wrong_link'
  /** Under a key that is not known, here or there: announcements must be exchanged again. */
  | 'unknown_key'
  | 'bad_tag'
  | 'replayed';

export type Opened =
  | { readonly ok: true; readonly from: MemberIndex; readonly payload: Uint8Array }
  | { readonly ok: false; readonly refusal: Refusal };

interface Generation {
  readonly generation: number;
  readonly publicKey: Uint8Array;
}

/** A node's latest key, and the one before while frames under it are still taken. */
interface Keys<T extends Generation> {
  readonly current: T;
  readonly old: { readonly key: T; readonly untilMs: number } | undefined;
}

interface OwnGeneration extends Generation {
  readonly agree: AgreementKey['agree'];
}

interface Peer {
  keys: Keys<Generation & { readonly boot: number }> | undefined;
  readonly window: ReplayWindow;
  /** Makes tags under the keys derived so far, by direction and generations: at most two generations on each side. */
  readonly tags: Map<string, (bytes: Uint8Array) => Uint8Array>;
}

const saltLabel = label('quorate/bft/v1');
const macLabel = label('mac');
const noTag = new Uint8Array(tagBytes);

/**
 * Authenticated channels between the members of one epoch (protocol design 1.3): every frame has an HMAC under a key that its sender and its receiver alone can
 * make. So a member can't speak for another, and neither can a third party; but a receiver can't prove to others what it was told.
 *
 * A key serves one direction, one epoch and one pair of generations: no frame can be sent back, or again in another epoch. The keys that keys are made from are
 * announced under the nodes' identities and never leave their nodes. Time comes in as milliseconds of a clock that does not go back.
 */
export class Authenticator {
  readonly #options: AuthenticatorOptions;
  readonly #peers: readonly Peer[];
  readonly #cluster: Uint8Array;
  readonly #salt: Uint8Array;
  #own: Keys<OwnGeneration>;
  #seq = 0;

  constructor(options: AuthenticatorOptions) {
    const { hashes, configuration, self, ownKey } = options;
    assert(self < configuration.members.length, 'a node that authenticates is a member');
    this.#options = options;
    this.#own = { current: ownGeneration(ownKey), old: undefined };
    this.#peers = configuration.members.map(() => ({ keys: undefined, window: new ReplayWindow(), tags: new Map() }));
    this.#cluster = clusterTagOf(hashes, configuration.cluster);
    const epoch = new ByteWriter().fixed(saltLabel).text(configuration.cluster).u32(configuration.epoch);
    this.#salt = hashes.sha256(epoch.fixed(digestBytes(configurationDigest(hashes, configuration))).finish());
  }

  /** Tells others this node's key: to be sent before the first frame on a link, and to all after `rotate`. */
  announcement(): Uint8Array {
    const { configuration, self, boot, sign } = this.#options;
    const { generation, publicKey } = this.#own.current;
    const { nodeId } = this.#member(self);
    return encodeAnnouncement({ cluster: configuration.cluster, nodeId, generation, boot, publicKey }, sign);
  }

  /** Goes over to a new key of this node. Frames to the old one are taken for `oldGenerationMs` more. */
  rotate(next: OwnKey, nowMs: number): void {
    assert(next.generation > this.#own.current.generation, "a node's key generations grow");
    this.#own = { current: ownGeneration(next), old: { key: this.#own.current, untilMs: nowMs + oldGenerationMs } };
    for (const { tags } of this.#peers) tags.clear();
  }

  /** Takes in a member's announcement. A generation has one key, and a later one takes its place. Only what is news costs a signature check. */
  learn(bytes: Uint8Array, nowMs: number): Learned {
    const { verify, configuration, self } = this.#options;
    const signed = decodeAnnouncement(bytes);
    const index = configuration.members.findIndex(({ nodeId }) => nodeId === signed?.announcement.nodeId);
    const [member, peer] = [configuration.members[index], this.#peers[index]];
    if (signed === undefined || member === undefined || peer === undefined || index === self) return 'refused';
    const { announcement } = signed;
    if (announcement.cluster !== configuration.cluster) return 'refused';
    const known = peer.keys?.current;
    if (known !== undefined) {
      if (announcement.generation < known.generation || announcement.boot < known.boot) return 'outdated';
      if (announcement.generation === known.generation) return equalBytes(announcement.publicKey, known.publicKey) ? 'known' : 'refused';
    }
    if (!isAnnouncementSigned(signed, verify, member.ed25519PublicKey)) return 'refused';
    // A point of low order would give a key that anyone can compute.
    if (this.#own.current.agree(announcement.publicKey) === undefined) return 'refused';
    peer.keys = { current: announcement, old: known && { key: known, untilMs: nowMs + oldGenerationMs } };
    peer.tags.clear();
    return 'new';
  }

  /** True when frames can be sent to a member: its key is known. */
  knows(member: MemberIndex): boolean {
    return this.#peers[member]?.keys !== undefined;
  }

  /** A frame to one member; undefined while its key is not known. */
  seal(to: MemberIndex, payload: Uint8Array): Uint8Array | undefined {
    const generation = this.#peers[to]?.keys?.current;
    const tagOf = generation && this.#tagger('to', to, this.#own.current, generation);
    if (generation === undefined || tagOf === undefined) return undefined;
    const signed = encodeFrame(this.#header(to, generation.generation), payload);
    return closeFrame(signed, [tagOf(signed)]);
  }

  /**
   * A frame to all members that any of them may pass on, with a tag for each (Castro and Liskov 1999, §2: an authenticator); zeros for this node itself and for
   * members whose key is not known. Whoever passes it on can spoil the tags of others, not forge them.
   */
  sealForAll(payload: Uint8Array): Uint8Array {
    const signed = encodeFrame(this.#header(toAll, 0), payload);
    const tags = this.#peers.map(({ keys }, member) => {
      const tagOf = keys && this.#tagger('to', member, this.#own.current, keys.current);
      return tagOf === undefined ? noTag : tagOf(signed);
    });
    return closeFrame(signed, tags);
  }

  /** Looks at what came over the link of the member `link`. The payload of a right frame is authentic, and not yet looked at. */
  open(bytes: Uint8Array, link: MemberIndex, nowMs: number): Opened {
    const frame = decodeFrame(bytes, this.#peers.length);
    if (frame === undefined) return refuse('malformed');
    const { header, payload } = frame;
    const { configuration, self } = this.#options;
    const peer = this.#peers[header.from];
    if (!equalBytes(header.cluster, this.#cluster)) return refuse('other_cluster');
    if (header.epoch !== configuration.epoch) return refuse('other_epoch');
    if (peer === undefined || header.from === self) return refuse('not_a_member');
    if (header.to !== self && header.to !== toAll) return refuse('not_for_me');
    if (header.to === self && header.from !== link) return refuse('wrong_link');
    const refusal = this.#refusalOfTag(frame, peer, nowMs);
    if (refusal !== undefined) return refuse(refusal);
    return peer.window.take(header.boot, header.seq) ? { ok: true, from: header.from, payload } : refuse('replayed');
  }

  #refusalOfTag({ header, signed, tags }: Frame, peer: Peer, nowMs: number): Refusal | undefined {
    const theirs = generationsOf(peer.keys, nowMs).find(({ generation }) => generation === header.fromGeneration);
    // A frame to all can't name the generation of each receiver's key: both of them are tried.
    const ours = generationsOf(this.#own, nowMs).filter(({ generation }) => header.to === toAll || generation === header.toGeneration);
    if (theirs === undefined || ours.length === 0) return 'unknown_key';
    const tag = tags[header.to === toAll ? this.#options.self : 0] ?? noTag;
    const isRight = ours.some((own) => {
      const tagOf = this.#tagger('from', header.from, own, theirs);
      return tagOf !== undefined && equalTags(tagOf(signed), tag);
    });
    return isRight ? undefined : 'bad_tag';
  }

  #header(to: MemberIndex, toGeneration: number): FrameHeader {
    const { configuration, self, boot } = this.#options;
    const fromGeneration = this.#own.current.generation;
    return { cluster: this.#cluster, epoch: configuration.epoch, from: self, to, fromGeneration, toGeneration, boot, seq: this.#seq++ };
  }

  /** What makes the tags of frames to or from a member; undefined if its key is one that no secret can be agreed on with. */
  #tagger(
    direction: 'to' | 'from',
    member: MemberIndex,
    own: OwnGeneration,
    theirs: Generation,
  ): ((bytes: Uint8Array) => Uint8Array) | undefined {
    const { hashes, self } = this.#options;
    const tags = defined(this.#peers[member], 'a key is of a member').tags;
    const name = `${direction} ${own.generation} ${theirs.generation}`;
    const known = tags.get(name);
    if (known !== undefined) return known;
    const secret = own.agree(theirs.publicKey);
    if (secret === undefined) return undefined;
    const us = { ...own, index: self };
    const them = { ...theirs, index: member };
    const key = hashes.hkdf(secret, this.#salt, direction === 'to' ? macInfo(us, them) : macInfo(them, us), tagBytes);
    const tagOf = hashes.hmac(key);
    tags.set(name, tagOf);
    return tagOf;
  }

  #member(index: MemberIndex): EpochConfiguration['members'][number] {
    return defined(this.#options.configuration.members[index], 'a member has its place in the configuration');
  }
}

const ownGeneration = ({ key, generation }: OwnKey): OwnGeneration => ({
  generation,
  publicKey: key.publicKey,
  agree: (publicKey) => key.agree(publicKey),
});

interface Side extends Generation {
  readonly index: MemberIndex;
}

/** Binds a MAC key to its direction and to both sides' places, generations and public keys. */
const macInfo = (from: Side, to: Side): Uint8Array =>
  new ByteWriter()
    .fixed(macLabel)
    .u16(from.index)
    .u16(to.index)
    .u32(from.generation)
    .u32(to.generation)
    .fixed(from.publicKey)
    .fixed(to.publicKey)
    .finish();

const generationsOf = <T extends Generation>(keys: Keys<T> | undefined, nowMs: number): readonly T[] => {
  if (keys === undefined) return [];
  return keys.old !== undefined && nowMs < keys.old.untilMs ? [keys.current, keys.old.key] : [keys.current];
};

/** In the same time wherever they differ. */
function equalTags(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}

const refuse = (refusal: Refusal): Opened => ({ ok: false, refusal });
