/**
 * Up to so many members every pair keeps in touch: each is pinged, told of rows and given batches of the gossip directly, by the links that all have with all. Beyond
 * it those costs, which grow with the square, are paid by SWIM and by gossip instead.
 */
export const directMembers = 64;
