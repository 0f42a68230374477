import './core/polyfill.ts';

export { startApi } from './api/server.ts';
export { createClient, QuorateClient, type CallOptions, type ClientOptions, type TaskSubmission } from './client/client.ts';
export { createWorker, FatalTaskError, type TaskContext, Worker, type WorkerOptions, type WorkerTask } from './client/worker.ts';
export { InvariantError } from './core/assert.ts';
export { type Failure, type FailureCode, isDefinite, QuorateError } from './core/errors.ts';
export { isName, nodeId, type NodeId } from './core/ids.ts';
export type { Logger } from './core/logger.ts';
export type { GossipSettings } from './node/gossip/driver.ts';
export { GossipHost, type GossipHostOptions } from './node/gossip/host.ts';
export type { Genesis, MemberInfo, Roster } from './node/genesis.ts';
export { foundStore, readStoredState } from './node/new-cluster.ts';
export { Node, type NodeConfig, startNode, version } from './node/node.ts';
export { inspectSnapshot, loadSnapshot, type SnapshotContents } from './node/snapshot-contents.ts';
export { SnapshotFileError } from './node/snapshot-file.ts';
export { createIdentity, loadIdentity } from './transport/identity.ts';
