import { expect } from 'chai';
import { createHash, createHmac, hkdfSync } from 'node:crypto';
import { Authenticator, oldGenerationMs, type OwnKey, type Refusal } from '../../src/byzantine/authenticator.ts';
import type { AgreementKey, Hashes } from '../../src/byzantine/crypto.ts';
import { toHex } from '../../src/byzantine/bytes.ts';
import { configurationDigest } from '../../src/byzantine/encoding.ts';
import { encodeAnnouncement, isAnnouncement } from '../../src/byzantine/key-announcement.ts';
import { nobleHashes } from '../../src/crypto/noble.ts';
import { createAgreementKey, nodeHashes, verifySignature } from '../../src/crypto/node.ts';
import { Electorate } from './electorate.ts';

const electorate = new Electorate(4);
const payload = Uint8Array.of(1, 2, 3, 4, 5);

interface Making {
  readonly members?: Electorate;
  readonly ownKey?: OwnKey;
  readonly boot?: number;
  readonly hashes?: Hashes;
}

function member(self: number, making: Making = {}): Authenticator {
  const { members = electorate, ownKey = { key: createAgreementKey(), generation: 1 }, boot = 1, hashes = nodeHashes } = making;
  const { configuration } = members;
  return new Authenticator({ hashes, verify: verifySignature, sign: members.keyOf(self).sign, configuration, self, ownKey, boot });
}

function introduce(...all: readonly Authenticator[]): void {
  for (const one of all) for (const other of all) if (one !== other) one.learn(other.announcement(), 0);
}

const sealed = (from: Authenticator, to: number): Uint8Array => from.seal(to, payload) ?? new Uint8Array(0);
const refusalOf = (by: Authenticator, frame: Uint8Array, link = 0, nowMs = 0): Refusal | undefined => {
  const opened = by.open(frame, link, nowMs);
  return opened.ok ? undefined : opened.refusal;
};

describe('byzantine: authenticated frames (protocol design 1.3)', () => {
  it('reach the one they are for, whichever implementation made the tag', () => {
    const [a, b] = [member(0), member(1, { hashes: nobleHashes })];
    introduce(a, b);

    expect(b.open(sealed(a, 1), 0, 0)).to.deep.equal({ ok: true, from: 0, payload });
    expect(a.open(sealed(b, 0), 1, 0)).to.deep.equal({ ok: true, from: 1, payload });
  });

  it('have this tag', () => {
    // Protocol design 1.3, step by step, with node:crypto only.
    const [one, two] = [createAgreementKey(), createAgreementKey()];
    const [a, b] = [member(0, { ownKey: { key: one, generation: 3 } }), member(1, { ownKey: { key: two, generation: 8 } })];
    introduce(a, b);
    const numbers = (...values: readonly (readonly [bytes: number, value: number])[]): Buffer =>
      Buffer.concat(
        values.map(([bytes, value]) => {
          const buffer = Buffer.alloc(bytes);
          buffer.writeUIntLE(value, 0, bytes);
          return buffer;
        }),
      );
    const configuration = Buffer.from(configurationDigest(nodeHashes, electorate.configuration), 'hex');
    const salt = createHash('sha256')
      .update(Buffer.concat([Buffer.from('quorate/bft/v1'), numbers([2, 9]), Buffer.from('cluster-a'), numbers([4, 0]), configuration]))
      .digest();
    const secret = one.agree(two.publicKey) ?? '';
    const tagOf = (frame: Uint8Array, info: Buffer): string =>
      createHmac('sha256', new Uint8Array(hkdfSync('sha256', secret, salt, info, 32)))
        .update(frame.subarray(0, -32))
        .digest('hex');

    const [there, back] = [sealed(a, 1), sealed(b, 0)];

    const infoThere = Buffer.concat([Buffer.from('mac'), numbers([2, 0], [2, 1], [4, 3], [4, 8]), one.publicKey, two.publicKey]);
    const infoBack = Buffer.concat([Buffer.from('mac'), numbers([2, 1], [2, 0], [4, 8], [4, 3]), two.publicKey, one.publicKey]);
    expect(toHex(there.subarray(-32))).to.equal(tagOf(there, infoThere));
    expect(toHex(back.subarray(-32))).to.equal(tagOf(back, infoBack));
  });

  it('are refused when any one bit is flipped', () => {
    const [a, b] = [member(0), member(1)];
    introduce(a, b);
    const frame = sealed(a, 1);

    for (let bit = 0; bit < frame.length * 8; bit++) {
      const flipped = Uint8Array.from(frame, (byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
      expect(refusalOf(b, flipped), `bit ${bit}`).to.not.equal(undefined);
    }
    expect(refusalOf(b, frame)).to.equal(undefined);
  });

  it('can be read from any bytes without an error', () => {
    const [a, b] = [member(0), member(1)];
    introduce(a, b);
    const frame = sealed(a, 1);

    for (let length = 0; length < frame.length; length++) expect(refusalOf(b, frame.subarray(0, length))).to.equal('malformed');
    expect(refusalOf(b, Uint8Array.of(...frame, 0))).to.equal('malformed');
    expect(refusalOf(b, new Uint8Array(2_000_000))).to.equal('malformed');
  });

  it("can't be sent back, on to another, or again", () => {
    const [a, b, c] = [member(0), member(1), member(2)];
    introduce(a, b, c);
    const frame = sealed(a, 1);

    expect(refusalOf(a, frame, 1)).to.equal('not_a_member');
    expect(refusalOf(c, frame)).to.equal('not_for_me');
    expect(refusalOf(b, frame, 2)).to.equal('wrong_link');
    expect(refusalOf(b, frame)).to.equal(undefined);
    expect(refusalOf(b, frame)).to.equal('replayed');
  });

  it('have keys of one direction: a frame with its ends exchanged has a wrong tag', () => {
    const [a, b] = [member(0), member(1)];
    introduce(a, b);
    const frame = sealed(a, 1);
    // from and to stand in the bytes 16 to 19; both generations are 1.
    frame.set([1, 0, 0, 0], 16);

    expect(refusalOf(a, frame, 1)).to.equal('bad_tag');
  });

  it('count in their own cluster and epoch only, even between the same nodes with the same keys', () => {
    const ownKeys: readonly OwnKey[] = [0, 1].map(() => ({ key: createAgreementKey(), generation: 1 }));
    const pair = (members: Electorate): Authenticator[] => {
      const made = ownKeys.map((ownKey, i) => member(i, { members, ownKey }));
      introduce(...made);
      return made;
    };
    const [a] = pair(electorate);
    const [, later] = pair(new Electorate(4, { epoch: 1 }));
    const [, elsewhere] = pair(new Electorate(4, { cluster: 'cluster-b' }));
    if (a === undefined || later === undefined || elsewhere === undefined) throw new Error('there are two of each');
    const forged = sealed(a, 1);
    forged.set([1, 0, 0, 0], 12);

    expect(refusalOf(later, sealed(a, 1))).to.equal('other_epoch');
    expect(refusalOf(later, forged)).to.equal('bad_tag');
    expect(refusalOf(elsewhere, sealed(a, 1))).to.equal('other_cluster');
  });

  it('are not made for, and not taken from, a member whose key is not known', () => {
    const [a, b] = [member(0), member(1)];

    expect(a.knows(1)).to.equal(false);
    expect(a.seal(1, payload)).to.equal(undefined);
    a.learn(b.announcement(), 0);
    expect(a.knows(1)).to.equal(true);
    expect(refusalOf(b, sealed(a, 1))).to.equal('unknown_key');
  });
});

describe('byzantine: frames to all', () => {
  it('have a tag for each, and may come from anyone', () => {
    const [a, b, c] = [member(0), member(1), member(2)];
    introduce(a, b, c);

    const frame = a.sealForAll(payload);

    expect(b.open(frame, 0, 0)).to.deep.equal({ ok: true, from: 0, payload });
    expect(c.open(frame, 1, 0)).to.deep.equal({ ok: true, from: 0, payload });
    expect(refusalOf(c, frame, 3)).to.equal('replayed');
    expect(refusalOf(a, frame, 1)).to.equal('not_a_member');
    // The fourth member's key was not known: its tag is all zeros, which is right for nobody.
    const d = member(3);
    introduce(a, d);
    expect(refusalOf(d, frame)).to.equal('bad_tag');
  });

  it("can't be changed by whoever passes them on", () => {
    const [a, b, c] = [member(0), member(1), member(2)];
    introduce(a, b, c);
    const frame = a.sealForAll(payload);
    const changed = frame.slice();
    changed[44] = 9;

    expect(refusalOf(c, changed, 1)).to.equal('bad_tag');
    expect(refusalOf(c, frame, 1)).to.equal(undefined);
  });

  it('reach one that has just changed its key', () => {
    const [a, b] = [member(0), member(1)];
    introduce(a, b);
    const frame = a.sealForAll(payload);

    b.rotate({ key: createAgreementKey(), generation: 2 }, 1000);

    expect(refusalOf(b, frame, 0, 1000 + oldGenerationMs)).to.equal('bad_tag');
    expect(refusalOf(b, frame, 0, 1000 + oldGenerationMs - 1)).to.equal(undefined);
  });
});

describe('byzantine: generations of keys', () => {
  it('overlap for two seconds after the next is announced', () => {
    const [a, b] = [member(0), member(1)];
    introduce(a, b);
    const [first, second] = [sealed(a, 1), sealed(a, 1)];

    a.rotate({ key: createAgreementKey(), generation: 2 }, 5000);
    expect(b.learn(a.announcement(), 5000)).to.equal('new');

    expect(refusalOf(b, sealed(a, 1), 0, 5000)).to.equal(undefined);
    expect(refusalOf(b, first, 0, 5000 + oldGenerationMs - 1)).to.equal(undefined);
    expect(refusalOf(b, second, 0, 5000 + oldGenerationMs)).to.equal('unknown_key');
    expect(refusalOf(a, sealed(b, 0), 1, 5000 + oldGenerationMs)).to.equal(undefined);
  });

  it('overlap at the receiver that changed its key too', () => {
    const [a, b] = [member(0), member(1)];
    introduce(a, b);
    const [first, second] = [sealed(a, 1), sealed(a, 1)];

    b.rotate({ key: createAgreementKey(), generation: 2 }, 5000);

    expect(refusalOf(b, first, 0, 5000 + oldGenerationMs - 1)).to.equal(undefined);
    expect(refusalOf(b, second, 0, 5000 + oldGenerationMs)).to.equal('unknown_key');
  });

  it('never go back, and have one key each', () => {
    const [a, b] = [member(0), member(1)];
    const old = a.announcement();
    b.learn(old, 0);
    expect(b.learn(old, 0)).to.equal('known');

    a.rotate({ key: createAgreementKey(), generation: 2 }, 0);
    expect(b.learn(a.announcement(), 0)).to.equal('new');

    expect(b.learn(old, 0)).to.equal('outdated');
    expect(b.learn(member(0, { ownKey: { key: createAgreementKey(), generation: 2 } }).announcement(), 0)).to.equal('refused');
    expect(b.learn(member(0, { ownKey: { key: createAgreementKey(), generation: 3 }, boot: 0 }).announcement(), 0)).to.equal('outdated');
  });

  it('of a restarted node make its earlier frames worthless', () => {
    const [a, b] = [member(0), member(1)];
    introduce(a, b);
    const early = sealed(a, 1);
    const restarted = member(0, { boot: 2, ownKey: { key: createAgreementKey(), generation: 2 } });
    introduce(restarted, b);

    expect(refusalOf(b, sealed(restarted, 1), 0, 10)).to.equal(undefined);
    expect(refusalOf(b, early, 0, 10)).to.equal('replayed');
  });

  it('are believed under the identity of a member of the cluster only', () => {
    const b = member(1);
    const key = createAgreementKey();
    const { nodeId } = electorate.configuration.members[0] ?? { nodeId: undefined };
    if (nodeId === undefined) throw new Error('there is a first member');
    const words = { cluster: 'cluster-a', nodeId, generation: 1, boot: 1, publicKey: key.publicKey };
    const { sign } = electorate.keyOf(0);

    expect(b.learn(encodeAnnouncement(words, electorate.keyOf(2).sign), 0)).to.equal('refused');
    expect(b.learn(encodeAnnouncement({ ...words, cluster: 'cluster-b' }, sign), 0)).to.equal('refused');
    expect(b.learn(b.announcement(), 0)).to.equal('refused');
    expect(b.learn(new Uint8Array(10), 0)).to.equal('refused');
    const announcement = encodeAnnouncement(words, sign);
    for (let bit = 0; bit < announcement.length * 8; bit++) {
      const flipped = Uint8Array.from(announcement, (byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
      expect(b.learn(flipped, 0), `bit ${bit}`).to.equal('refused');
    }
    expect(b.learn(announcement, 0)).to.equal('new');
  });

  it('are refused when their key would give a secret that anyone knows', () => {
    const point: AgreementKey = { publicKey: new Uint8Array(32), agree: () => new Uint8Array(32) };

    expect(member(1).learn(member(0, { ownKey: { key: point, generation: 1 } }).announcement(), 0)).to.equal('refused');
  });

  it('are announced by bytes that no frame starts with', () => {
    const [a, b] = [member(0), member(1)];
    introduce(a, b);

    expect(isAnnouncement(a.announcement())).to.equal(true);
    expect(isAnnouncement(sealed(a, 1))).to.equal(false);
  });
});
