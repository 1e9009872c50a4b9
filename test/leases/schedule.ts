import fc from 'fast-check';

/** What happens next. Processes, agents and leases are named by numbers that are taken modulo how many there are. */
export type Act =
  | { act: 'acquire'; process: number; agent: number; ttlMs: number; waitMs: number }
  | { act: 'release' | 'commit'; lease: number }
  | { act: 'pass'; ms: number }
  /** A process stands still, or goes on. */
  | { act: 'pause'; process: number }
  /** Renewals of a process hang, or come through. */
  | { act: 'hang'; process: number }
  /** The wall clock is set: on SQLite that of all, and only back; elsewhere that of a host. */
  | { act: 'step'; process: number; ms: number }
  /** Another program locks the database, or lets go of it. */
  | { act: 'lock' };

const some = fc.nat(1_000);
const process = { process: some };

const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      act: fc.constant('acquire' as const),
      ...process,
      agent: some,
      ttlMs: fc.constantFrom(50, 400, 3_000, 15_000),
      waitMs: fc.constantFrom(0, 0, 6_000, 40_000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('release' as const), lease: some }) },
  { weight: 5, arbitrary: fc.record({ act: fc.constant('commit' as const), lease: some }) },
  {
    weight: 6,
    arbitrary: fc.record({
      act: fc.constant('pass' as const),
      ms: fc.constantFrom(1, 20, 37, 100, 280, 375, 400, 1_000, 2_500, 3_000, 5_000, 13_500, 15_000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('pause' as const), ...process }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('hang' as const), ...process }) },
  {
    weight: 1,
    arbitrary: fc.record({
      act: fc.constant('step' as const),
      ...process,
      ms: fc.constantFrom(-3_600_000, -15_000, -5_000, -400, -1, 1, 5_000, 3_600_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('lock' as const) }) },
);

export const schedules = fc.array(act, { minLength: 5, maxLength: 40 });
