import { nodeId, type NodeId } from '../../src/core/ids.ts';
import { configurationOf } from '../../src/raft/configuration.ts';
import { type ConfigurationChange, leaveJoint, type MemberChange } from '../../src/raft/configuration-change.ts';
import type { Configuration, RaftMessage } from '../../src/raft/messages.ts';
import type { ProposeResult } from '../../src/raft/status.ts';
import { TranscriptNode } from './transcript-node.ts';
import { sayStatus } from './transcript-words.ts';

interface Travelling {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly message: RaftMessage;
}

const electionTicks = 10;
const tickMs = 10;
/** Less than the election timeout, as in the product. */
const leaseMs = 60;

/** Far more than any conversation needs: one that goes on has found a loop. */
const maxRounds = 200;

/**
 * Runs a script: lines that begin with `> ` are commands, those with `#` remarks; whatever else it holds is what an earlier run said, and is replaced by what
 * happens now. A command's node does its outstanding work at once; messages travel only by `deliver` and `stabilize`.
 * @throws RangeError for a command that is not one.
 */
export function runTranscript(text: string): string {
  const script = new Script();
  const kept = text.split('\n').filter((line) => line.startsWith('#') || line.startsWith('> '));
  const blocks = kept.map((line, at) => {
    // A remark belongs to the command below it.
    const gap = at > 0 && !kept[at - 1]?.startsWith('#') ? ['', line] : [line];
    return line.startsWith('#') ? gap : [...gap, ...script.run(line.slice(2)).map((said) => `  ${said}`)];
  });
  return `${blocks.flat().join('\n')}\n`;
}

class Script {
  readonly #nodes = new Map<NodeId, TranscriptNode>();
  readonly #cut = new Set<string>();
  #flags: ReadonlySet<string> = new Set();
  #founders: Configuration = configurationOf([]);
  #travelling: Travelling[] = [];
  #said: string[] = [];
  #reads = 0;
  /** What all clocks show. */
  #nowMs = 0;

  /** What happened because of the command, a line each. */
  run(command: string): readonly string[] {
    this.#said = [];
    const [name = '', ...words] = command.split(' ');
    const act = this.#commands[name];
    if (act === undefined) throw new RangeError(`"${command}" is no command`);
    act(words);
    for (const node of this.#nodes.values()) node.work();
    return this.#said.length > 0 ? this.#said : ['ok'];
  }

  readonly #commands: Readonly<Record<string, (words: readonly string[]) => void>> = {
    // nodes <count> [pre-vote] [check-quorum] [one-inflight] [lease]: the founders, all voters.
    nodes: ([count, ...flags]) => {
      this.#flags = new Set(flags);
      const ids = Array.from({ length: numberOf(count) }, (_, i) => nodeId(`n${i + 1}`));
      this.#founders = configurationOf(ids);
      for (const id of ids) this.#start(id);
    },
    // node <id>: a newcomer that knows the founders.
    node: ([id]) => this.#start(idOf(id)),
    campaign: ([id]) => this.#at(id).raft.campaign(),
    // tick <id>|all [times]: every node works after each tick.
    tick: ([id, times = '1']) => {
      for (let i = 0; i < numberOf(times); i++) {
        this.#nowMs += tickMs;
        for (const node of id === 'all' ? this.#nodes.values() : [this.#at(id)]) {
          node.raft.tick();
          node.work();
        }
      }
    },
    // pause <ms>: time goes by, and nobody ticks.
    pause: ([ms]) => {
      this.#nowMs += numberOf(ms);
    },
    // timeout <id> <ticks>: instead of the one that was drawn.
    timeout: ([id, ticks]) => this.#at(id).raft.setRandomizedElectionTimeout(numberOf(ticks)),
    // propose <id> <command>…: all in one turn.
    propose: ([id, ...commands]) => {
      for (const command of commands) this.#sayResult(this.#at(id).raft.propose(new TextEncoder().encode(command)));
    },
    // change <id> auto|joint-implicit|joint-explicit (add-voter|add-learner|remove <id>)…; change <id> leave.
    change: ([id, ...words]) => this.#sayResult(this.#at(id).raft.proposeConfigChange(changeOf(words))),
    transfer: ([id, to]) => this.#say(this.#at(id).raft.transferLeadership(idOf(to)) ? 'begins' : 'refused'),
    read: ([id]) => this.#at(id).raft.readIndex(++this.#reads),
    compact: ([id]) => this.#at(id).compact(),
    restart: ([id]) => this.#at(id).restart(),
    unreachable: ([id, other]) => this.#at(id).raft.reportUnreachable(idOf(other)),
    // deliver <from> <to>, deliver all: what is on its way now, not what it causes.
    deliver: (words) => this.#deliver(this.#take(words)),
    drop: (words) => {
      for (const { from, to, message } of this.#take(words)) this.#say(`lost: ${from} -> ${to} ${message.type}`);
    },
    // cut <id> <id>: both ways; heal: all links.
    cut: ([one, other]) => {
      this.#cut.add(`${idOf(one)} ${idOf(other)}`);
      this.#cut.add(`${idOf(other)} ${idOf(one)}`);
    },
    heal: () => this.#cut.clear(),
    // Delivers until nothing is on its way any more.
    stabilize: () => {
      for (let rounds = 0; this.#travelling.length > 0; rounds++) {
        if (rounds > maxRounds) throw new RangeError('the nodes talk without end');
        this.#deliver(this.#travelling.splice(0));
      }
    },
    status: () => {
      for (const node of this.#nodes.values()) for (const line of sayStatus(node.raft.status())) this.#say(line);
    },
    state: () => {
      for (const [id, node] of this.#nodes) this.#say(`${id} [${node.commands.join(' ')}]`);
    },
  };

  #start(id: NodeId): void {
    // Waits are as long as the node's number says: the first one is the first to stand.
    const random = { below: (bound: number): number => (Number(id.slice(1)) - 1) % bound };
    const options = {
      id,
      electionTicks,
      heartbeatTicks: 5,
      preVote: this.#flags.has('pre-vote'),
      checkQuorum: this.#flags.has('check-quorum'),
      maxInflight: this.#flags.has('one-inflight') ? 1 : 16,
      maxInflightBytes: 1024,
      // Room for two commands of one letter each.
      maxSizePerMessage: 2,
      maxUncommittedBytes: 1024,
      leaseMs: this.#flags.has('lease') ? leaseMs : 0,
      random,
    };
    const send = ({ to, message }: { readonly to: NodeId; readonly message: RaftMessage }): void => {
      this.#travelling.push({ from: id, to, message });
    };
    this.#nodes.set(id, new TranscriptNode(options, this.#founders, { nowMs: () => this.#nowMs, say: (line) => this.#say(line), send }));
  }

  #deliver(travelling: readonly Travelling[]): void {
    for (const { from, to, message } of travelling) {
      const node = this.#nodes.get(to);
      if (node === undefined || this.#cut.has(`${from} ${to}`)) {
        this.#say(`lost: ${from} -> ${to} ${message.type}`);
        continue;
      }
      this.#say(`${to} <- ${from} ${message.type}`);
      node.raft.step(from, message);
      node.work();
    }
  }

  #take([from, to]: readonly string[]): readonly Travelling[] {
    if (from === 'all') return this.#travelling.splice(0);
    const isMeant = (one: Travelling): boolean => one.from === idOf(from) && one.to === idOf(to);
    const taken = this.#travelling.filter(isMeant);
    this.#travelling = this.#travelling.filter((one) => !isMeant(one));
    return taken;
  }

  #sayResult(result: ProposeResult): void {
    if (!result.ok) this.#say(`refused: ${result.reason ?? result.refused}`);
  }

  #say(line: string): void {
    this.#said.push(line);
  }

  #at(id: string | undefined): TranscriptNode {
    const node = this.#nodes.get(idOf(id));
    if (node === undefined) throw new RangeError(`there is no node ${id}`);
    return node;
  }
}

function numberOf(word: string | undefined): number {
  const number = Number(word);
  if (!Number.isSafeInteger(number) || number < 1) throw new RangeError(`"${word}" is no positive number`);
  return number;
}

const idOf = (word: string | undefined): NodeId => nodeId(`n${numberOf(word)}`);

function changeOf([transition, ...words]: readonly string[]): ConfigurationChange {
  if (transition === 'leave') return leaveJoint;
  if (transition !== 'auto' && transition !== 'joint-implicit' && transition !== 'joint-explicit')
    throw new RangeError(`"${transition}" is no transition`);
  const changes: MemberChange[] = [];
  for (let i = 0; i < words.length; i += 2) {
    const type = words[i];
    if (type !== 'add-voter' && type !== 'add-learner' && type !== 'remove') throw new RangeError(`"${type}" is no change`);
    changes.push({ type, node: idOf(words[i + 1]) });
  }
  return { transition, changes, context: '' };
}
