import { driveBranches } from './branches.ts';
import { driveCommits } from './commits.ts';
import { driveForks } from './forks.ts';
import { driveLive } from './live.ts';
import { driveReads } from './reads.ts';
import type { Stores } from './stores.ts';

/** Every method of a store, and the ways that each can go, on a database that `fill` has filled. */
export async function drive(stores: Stores): Promise<void> {
  await driveLive(stores);
  await driveCommits(stores);
  await driveForks(stores);
  await driveBranches(stores);
  await driveReads(stores);
}
