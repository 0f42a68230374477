import { signBatch, type Signable } from '../../../src/byzantine/attestation.ts';
import type { Ballot, BatchSignature, Expiry, SignedBallot, SignedExpiry } from '../../../src/byzantine/ballot.ts';
import type { Trust } from '../../../src/byzantine/certificate.ts';
import { genesisConfiguration } from '../../../src/byzantine/configuration.ts';
import { configurationDigest, outcomeValue } from '../../../src/byzantine/encoding.ts';
import type { EpochConfiguration, MemberIndex } from '../../../src/byzantine/epoch.ts';
import { memberNotary, rememberSignatures } from '../../../src/byzantine/member-notary.ts';
import type { Notary } from '../../../src/byzantine/notary.ts';
import type { ProposalId } from '../../../src/byzantine/proposal.ts';
import type { Outcome, Value } from '../../../src/byzantine/witness.ts';
import { defined } from '../../../src/core/assert.ts';
import { nodeHashes, type SigningKey, signingKey, verifySignature } from '../../../src/crypto/node.ts';
import { peerIdOf } from '../../../src/byzantine/peer-id.ts';
import type { Forge } from '../seals.ts';

/** N members with real identities, always the same ones. The world that holds them may sign for anybody. */
export class Electorate implements Forge {
  readonly trust: Trust;
  /** Checks what honest members took, apart from what they remember. */
  readonly notary: Notary;
  readonly #keys: readonly SigningKey[];
  /** By epoch. */
  readonly #configurations: EpochConfiguration[];

  constructor(n: number) {
    const keys = Array.from({ length: n }, (_, i) => signingKey(new Uint8Array(32).fill(i + 1)));
    const byId = new Map(keys.map((key) => [peerIdOf(key.publicKey), key]));
    const configuration = genesisConfiguration('simulated', [...byId.keys()]);
    this.#keys = configuration.members.map(({ nodeId }) => defined(byId.get(nodeId), 'a member has the key of its id'));
    this.trust = { hashes: nodeHashes, verify: rememberSignatures(verifySignature, 4096), configuration };
    this.#configurations = [configuration];
    this.notary = memberNotary(nodeHashes, this.trust.verify, configuration);
  }

  /** The members of every epoch are the same: they change places with nobody, and share keys and frames with none of their own of another epoch. */
  configurationOf(epoch: number): EpochConfiguration {
    for (let next = this.#configurations.length; next <= epoch; next++) {
      const before = defined(this.#configurations[next - 1], 'epochs are made in order');
      this.#configurations.push({ ...before, epoch: next, previous: configurationDigest(nodeHashes, before) });
    }
    return defined(this.#configurations[epoch], 'an epoch is a natural number');
  }

  keyOf(member: MemberIndex): SigningKey {
    return defined(this.#keys[member], 'a member has a key');
  }

  valueOf(proposal: ProposalId, outcome: Outcome): Value {
    return outcomeValue(nodeHashes, proposal, outcome);
  }

  ballot(signer: MemberIndex, ballot: Ballot): SignedBallot {
    return { ballot, signature: this.sign(signer, { type: 'ballot', ballot }) };
  }

  expiry(signer: MemberIndex, expiry: Expiry): SignedExpiry {
    return { expiry, signature: this.sign(signer, { type: 'expiry', expiry }) };
  }

  sign(signer: MemberIndex, thing: Signable): BatchSignature {
    return defined(signBatch(nodeHashes, this.keyOf(signer).sign, [thing])[0], 'a batch has a signature for each thing');
  }
}
