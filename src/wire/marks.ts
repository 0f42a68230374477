// Frames between nodes share a link, and are told apart by their first bytes. Packed arrays, which Raft's frames are (`frames.ts`), begin with 0x90 to 0x9f, 0xdc or
// 0xdd; frames of Byzantine votes with 'BQ' and their keys with 'QK' (`src/byzantine`). Every other kind has its own byte, here.

/** Rows, probes and healing: what msgpack never begins with. */
export const partitionMark = 0xc1;

/** The gossip: 'G'. */
export const gossipMark = 0x47;
