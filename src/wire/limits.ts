/** A frame between nodes: a batch of entries (1 MiB) and its header, a snapshot chunk or many small messages; more would hold up heartbeats behind it. */
export const maxFrameBytes = 8 * 1024 * 1024;
/** One command in the log: a body of 1 MiB, the largest that HTTP takes, and its fields. */
export const maxCommandBytes = 1024 * 1024 + 8 * 1024;
/** Commands of one log entry: keeps an entry's apply far below a heartbeat. */
export const maxCommandsPerEntry = 4096;
/** Bytes at which an entry is closed: a disk write and a frame of a few milliseconds. One larger command makes an entry of its own. */
export const maxEntryBytes = 1024 * 1024;
export const maxKeyLength = 1024;
export const maxValueLength = 1024 * 1024;
/** JSON text of a payload: 256 KiB of JSON as the client counts it. */
export const maxPayloadLength = 256 * 1024;
export const maxResultLength = 64 * 1024;
export const maxErrorLength = 4 * 1024;
export const maxSecretLength = 64 * 1024;
/** A certificate in the log has no ballots: 128 members need some 30 KiB. */
export const maxCertificateLength = 640 * 1024;
/** What a vote can be about. */
export const maxSubjectLength = 256;
export const maxGuardedPayloadLength = 64 * 1024;
export const maxNameLength = 128;
/** Capabilities, swarms or labels of one agent, and requirements of one task. */
export const maxTags = 64;
/** Snapshot chunks: small enough to leave room for heartbeats between them. */
export const snapshotChunkBytes = 256 * 1024;
