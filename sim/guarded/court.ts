import { CertifiedOnly } from '../invariants/certified-only.ts';
import type { Plan } from '../plan.ts';
import type { World, WorldOptions } from '../world.ts';
import { Deciders } from './deciders.ts';
import { LyingGuard } from './lying-guard.ts';
import { ApprovalRecord } from './record.ts';
import { rules, Signers } from './signers.ts';

const randomStream = 11;

/** What makes a world one in which certificates are verified: the nodes' keys, who approves and who lies, and the invariant that both are held to. */
export class Court {
  readonly #record = new ApprovalRecord();
  readonly #signers: Signers;
  readonly #founders: number;
  #world: World | undefined;
  #deciders: Deciders | undefined;

  constructor({ nodes, founders }: Pick<Plan, 'nodes' | 'founders'>) {
    this.#signers = new Signers(nodes, founders);
    this.#founders = founders;
  }

  get worldOptions(): Pick<WorldOptions, 'ids' | 'guardOf' | 'invariants'> {
    const { ids, founding } = this.#signers;
    return {
      ids,
      guardOf: (_id, lies) => new LyingGuard({ rules, founding }, lies),
      invariants: [new CertifiedOnly(ids.slice(0, this.#founders), this.#record, (id) => this.#world?.lying.has(id) === true)],
    };
  }

  start(world: World, count: number): void {
    this.#world = world;
    this.#deciders = new Deciders({
      queue: world.queue,
      random: world.stream(randomStream),
      signers: this.#signers,
      record: this.#record,
      replicas: () => world.indices.flatMap((node) => (world.isPaused(node) ? [] : (world.replica(node) ?? []))),
      isLying: (id) => world.lying.has(id),
    });
    this.#deciders.start(count);
  }

  get counts(): Deciders['counts'] | undefined {
    return this.#deciders?.counts;
  }
}
