import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { RaftStore, SaveBatch, Done } from '../storage/store.ts';
import { taskStates } from '../tasks/task.ts';
import type { TransportStats } from '../transport/transport.ts';
import { refusals } from '../gossip/gatekeeper.ts';
import type { NodeGossip } from './gossip/node-gossip.ts';
import type { NodePartition } from './partition/node-partition.ts';
import type { Replica } from './replica.ts';
import type { VoteCounters, Votes } from './votes/votes.ts';

/** How finely pauses are seen. Each look costs a timer. */
const pauseResolutionMs = 10;

/** Everything a node tells Prometheus. Read from the parts at scrape time; only the disk's waits are observed as they happen. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #fsync: Histogram;
  readonly #pauses = monitorEventLoopDelay({ resolution: pauseResolutionMs });

  constructor(version: string) {
    const build = new Gauge({
      name: 'quorate_build_info',
      help: 'Always 1; the labels say what runs',
      labelNames: ['version', 'node'],
      registers: [this.#registry],
    });
    build.set({ version, node: process.version }, 1);
    this.#fsync = new Histogram({
      name: 'quorate_storage_fsync_duration_seconds',
      help: 'From the start of a write of the log to its being on stable storage',
      buckets: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
      registers: [this.#registry],
    });
  }

  /** The same store, with its writes timed. */
  timed(store: RaftStore): RaftStore {
    const fsync = this.#fsync;
    return {
      save(batch: SaveBatch, done: Done): void {
        const end = fsync.startTimer();
        store.save(batch, (error) => {
          end();
          done(error);
        });
      },
      saveSnapshot: (meta, chunks, done) => store.saveSnapshot(meta, chunks, done),
      compact: (index, term, done) => store.compact(index, term, done),
      readChunk: (index, chunk, done) => store.readChunk(index, chunk, done),
      get logBytes() {
        return store.logBytes;
      },
      close: () => store.close(),
    };
  }

  watch(replica: Replica, store: RaftStore, transport: TransportStats, votes: () => Votes | undefined, partition: NodePartition): void {
    const gauge = (name: string, help: string, read: () => number): void => this.#gauge(name, help, read);
    const counter = (name: string, help: string, read: () => number): void => this.#counter(name, help, read);
    gauge('quorate_raft_has_leader', '1 when this node knows a leader', () => (replica.raft.leader === undefined ? 0 : 1));
    gauge('quorate_raft_is_leader', '1 when this node is the leader', () => (replica.raft.role === 'leader' ? 1 : 0));
    gauge('quorate_raft_term', 'Current term', () => replica.raft.term);
    gauge('quorate_raft_commit_index', 'Index known to be on a majority', () => replica.raft.commitIndex);
    gauge('quorate_raft_applied_index', 'Index that the state machine has reached', () => replica.appliedIndex);
    gauge('quorate_raft_proposals_pending', 'Commands of this node that wait for their outcome', () => replica.requests.pendingCommands);
    counter('quorate_raft_proposals_applied_total', 'Commands applied', () => replica.counters.commandsApplied);
    counter('quorate_raft_leader_changes_total', 'Changes of the leader this node has seen', () => replica.counters.leaderChanges);
    counter('quorate_raft_snapshots_taken_total', 'Snapshots of the state written here', () => replica.counters.snapshotsTaken);
    counter('quorate_raft_snapshots_installed_total', 'Snapshots received from a leader', () => replica.counters.snapshotsInstalled);
    counter(
      'quorate_bad_guard_total',
      'Messages of a leader dropped for an entry that no certificate permits',
      () => replica.counters.badGuards,
    );
    gauge('quorate_epoch', 'The epoch whose members vote', () => replica.guard?.current.epoch ?? 0);
    counter('quorate_turns_total', 'Turns of the replica', () => replica.counters.turns);
    gauge('quorate_storage_log_bytes', 'Bytes of log since the last compaction', () => store.logBytes);
    counter('quorate_peer_frames_sent_total', 'Frames sent to peers', () => transport.framesSent);
    counter('quorate_peer_frames_received_total', 'Frames received from peers', () => transport.framesReceived);
    counter(
      'quorate_peer_frames_dropped_total',
      'Frames dropped: queue full, malformed, or of another cluster',
      () => transport.framesDropped + replica.counters.framesDropped,
    );
    counter(
      'quorate_peer_strangers_refused_total',
      'Connections refused because the peer is not a member',
      () => transport.strangersRefused,
    );
    const { divergence } = replica;
    gauge('quorate_raft_diverged', "1 when this node's log may not be the cluster's", () => (divergence.isDiverged ? 1 : 0));
    gauge('quorate_raft_divergent_peers', "Peers whose logs differ from this node's", () => divergence.differing.length);
    counter('quorate_raft_heads_compared_total', "Heads of peers' logs that were compared", () => divergence.compared);
    new Counter({
      name: 'quorate_raft_heads_refused_total',
      help: "Heads of peers' logs that were not heeded, by reason",
      labelNames: ['reason'],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [reason, count] of Object.entries(divergence.refused)) this.inc({ reason }, count);
      },
    });
    counter('quorate_peer_bad_streams_total', 'Streams closed because of bytes that are not frames', () => transport.badStreams);
    // A node that pauses for long is deposed, or mistakes others for dead.
    this.#pauses.enable();
    gauge('quorate_longest_pause_seconds', 'Longest time in which the process did nothing else, since the last scrape', () => {
      const seconds = Math.max(0, this.#pauses.max / 1e9 - pauseResolutionMs / 1000);
      this.#pauses.reset();
      return seconds;
    });
    this.#watchPartition(partition);
    this.#watchVotes((name) => votes()?.counters[name] ?? 0);
    gauge('quorate_agents', 'Agents registered', () => replica.state.registry.size);
    gauge('quorate_keys', 'Keys stored', () => replica.state.keys.size);
    new Gauge({
      name: 'quorate_tasks',
      help: 'Tasks by state',
      labelNames: ['state'],
      registers: [this.#registry],
      collect() {
        const counts = replica.state.tasks.counts();
        for (const state of taskStates) this.set({ state }, counts[state]);
      },
    });
  }

  watchGossip(gossip: NodeGossip): void {
    const { driver } = gossip;
    this.#gauge('quorate_gossip_keys', 'Keys that the gossip holds', () => driver.size);
    this.#gauge('quorate_gossip_conflicts', 'Keys with several values that do not know of each other', () => driver.conflicts);
    this.#counter('quorate_gossip_updates_taken_total', 'Updates of other nodes', () => driver.counters.updatesTaken);
    this.#counter('quorate_gossip_updates_repaired_total', 'Updates that anti-entropy brought', () => driver.counters.repaired);
    this.#counter(
      'quorate_gossip_updates_dropped_total',
      'Own updates that were dropped because too many waited',
      () => driver.counters.dropped,
    );
    new Counter({
      name: 'quorate_gossip_refused_total',
      help: 'Batches and keys that were not taken, by reason',
      labelNames: ['why'],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const why of refusals) this.inc({ why }, driver.counters[why]);
      },
    });
  }

  #watchPartition(partition: NodePartition): void {
    this.#gauge('quorate_partition_active', '1 unless every node hears every other, and all that a split left is mended', () =>
      partition.state === 'healthy' ? 0 : 1,
    );
    this.#gauge('quorate_partition_fresh_rows', 'Members of whom it is known whom they hear now', () => partition.freshRows);
    this.#counter('quorate_partition_heals_total', 'Splits that have healed', () => partition.counts.heals);
    this.#counter('quorate_partition_heal_seconds_total', 'Time that healing took', () => partition.counts.healSeconds);
    this.#counter(
      'quorate_partition_frames_relayed_total',
      'Frames passed on for nodes that do not hear each other',
      () => partition.framesRelayed,
    );
    this.#counter(
      'quorate_partition_frames_refused_total',
      'Rows, probes and relayed frames that were malformed or not authentic',
      () => partition.framesRefused,
    );
    this.#gauge(
      'quorate_local_health_score',
      'How far this node distrusts its own judgement of silences: 0 (well) to 8',
      () => partition.score,
    );
  }

  #watchVotes(count: (name: keyof VoteCounters) => number): void {
    this.#gauge('quorate_votes_open', 'Byzantine votes that have no certificate yet', () => count('open'));
    this.#counter('quorate_votes_decided_total', 'Votes that ended with an option, by a certificate', () => count('decided'));
    this.#counter('quorate_votes_no_consensus_total', 'Votes that ended split or expired, by a certificate', () => count('noConsensus'));
    this.#counter('quorate_vote_frames_refused_total', 'Frames of votes that were malformed or not authentic', () =>
      count('framesRefused'),
    );
    this.#counter('quorate_vote_records_refused_total', 'Authentic words of members that no honest one says', () =>
      count('recordsRefused'),
    );
    this.#counter('quorate_vote_lies_total', 'Contradictions of members that are evidence', () => count('lies'));
  }

  #gauge(name: string, help: string, read: () => number): void {
    new Gauge({ name, help, registers: [this.#registry], collect: gaugeReader(read) });
  }

  #counter(name: string, help: string, read: () => number): void {
    new Counter({ name, help, registers: [this.#registry], collect: counterReader(read) });
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}

const gaugeReader = (read: () => number) =>
  function collect(this: Gauge): void {
    this.set(read());
  };

const counterReader = (read: () => number) =>
  function collect(this: Counter): void {
    this.reset();
    this.inc(read());
  };
