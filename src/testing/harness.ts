import type { Clock } from '../model/clock.ts';
import type { ExtendedStore, Store } from '../store/store.ts';
import type { MovableClock } from './movable-clock.ts';

/** What a backend can do beyond `Store`. A spec is skipped only where its capability is false. */
export interface Capabilities {
  /** Queries, statistics, watch, health and consistency checks: `ExtendedStore`. */
  extended: boolean;
  /** Two stores, in one process or several, may be open on one database at a time. */
  sharedAccess: boolean;
  /** `backup(path)` writes a copy that can be opened. */
  backup: boolean;
  /** `TestDatabase.clock` makes a clock that stores can be opened with. Default: false. */
  movableClock?: boolean;
}

/** One empty database of a backend, for one test. */
export interface TestDatabase {
  /** Opens a store on this database; a second call opens a second store on the same one. */
  open(clock?: Clock): Promise<Store>;
  /** A clock that stands still until a test moves it, and the database's own clock with it, if it has one. */
  clock?(): Promise<MovableClock>;
  /** Removes the database. The stores are closed by then. */
  destroy(): Promise<void>;
}

/** A kind of store, for the suite to test. */
export interface Backend {
  /** Stands above its tests. */
  name: string;
  /** What it can do; what it can't isn't tested. */
  capabilities: Capabilities;
  /** An empty database. Called for each test. */
  create(): Promise<TestDatabase>;
}

/** The part of a test runner that the suite needs; vitest, jest, mocha and node:test all have it. */
export interface Runner {
  /** Groups the tests that `body` registers. */
  describe(name: string, body: () => void): void;
  /**
   * Registers a test; it fails when what `body` returns rejects. `timeoutMs`: how long it may take, where the
   * default is too little.
   */
  it(name: string, body: () => Promise<void>, timeoutMs?: number): void;
}

/** Handed to the body of each test: a fresh database, and stores on it that are closed afterwards. */
export interface SpecContext {
  /** The one that is tested. */
  backend: Backend;
  /** The first store on the database. */
  store: Store;
  /**
   * Another store on the same database, with the test's clock if it isn't given one. With a backend without
   * shared access, the others are closed first.
   */
  another(clock?: Clock): Promise<Store>;
  /** Closes every open store and opens the database anew: what is read then was stored. */
  reopen(): Promise<Store>;
}

/** The same with what an `ExtendedStore` has. */
export interface ExtendedSpecContext extends SpecContext {
  /** The first store on the database. */
  store: ExtendedStore;
  /** As of `SpecContext`. */
  another(clock?: Clock): Promise<ExtendedStore>;
  /** As of `SpecContext`. */
  reopen(): Promise<ExtendedStore>;
}

/** With a clock that only the test moves; the stores have it. */
export interface ClockedSpecContext extends SpecContext {
  /** Stands still until the test moves it. */
  clock: MovableClock;
}

/** The same with two stores open at once. */
export interface SharedClockedSpecContext extends ExtendedSpecContext {
  /** Stands still until the test moves it. */
  clock: MovableClock;
}

/** A spec registers the tests of one noun with this. */
export interface Spec {
  /** The backend's. */
  readonly capabilities: Capabilities;
  /** Groups the tests that `body` registers; an empty group is left out. */
  describe(name: string, body: () => void): void;
  /** A test on any backend. */
  test(name: string, body: (context: SpecContext) => Promise<void>, timeoutMs?: number): void;
  /** A test on backends with the `extended` capability. */
  extended(name: string, body: (context: ExtendedSpecContext) => Promise<void>, timeoutMs?: number): void;
  /** A test on backends with the `movableClock` capability. */
  clocked(name: string, body: (context: ClockedSpecContext) => Promise<void>, timeoutMs?: number): void;
  /** The same, with two stores open at once on a backend with `extended`. */
  sharedClocked(
    name: string,
    body: (context: SharedClockedSpecContext) => Promise<void>,
    timeoutMs?: number,
  ): void;
  /** A test that needs two stores open at once on a backend with `extended`. */
  shared(name: string, body: (context: ExtendedSpecContext) => Promise<void>, timeoutMs?: number): void;
}

/** What registers tests of one backend with a test runner: for specs of your own. */
export function createSpec(runner: Runner, backend: Backend): Spec {
  const run =
    <C extends SpecContext>(body: (context: C) => Promise<void>) =>
    () =>
      withContext(backend, (context) => body(context as C));
  const runClocked =
    <C extends SpecContext>(body: (context: C) => Promise<void>) =>
    () =>
      withContext(backend, (context) => body(context as C), true);
  const { extended, sharedAccess, movableClock = false } = backend.capabilities;
  const tests = new Registration(runner);
  return {
    capabilities: backend.capabilities,
    describe: (name, body) => tests.group(name, body),
    test: (name, body, timeoutMs) => tests.add(() => runner.it(name, run(body), timeoutMs)),
    extended: (name, body, timeoutMs) => {
      if (extended) tests.add(() => runner.it(name, run(body), timeoutMs));
    },
    clocked: (name, body, timeoutMs) => {
      if (movableClock) tests.add(() => runner.it(name, runClocked(body), timeoutMs));
    },
    sharedClocked: (name, body, timeoutMs) => {
      if (movableClock && extended && sharedAccess) {
        tests.add(() => runner.it(name, runClocked(body), timeoutMs));
      }
    },
    shared: (name, body, timeoutMs) => {
      if (extended && sharedAccess) tests.add(() => runner.it(name, run(body), timeoutMs));
    },
  };
}

/** Leaves out groups that are empty on a backend: test runners take those for a mistake. */
class Registration {
  readonly #runner: Runner;
  #group: (() => void)[] | undefined;

  constructor(runner: Runner) {
    this.#runner = runner;
  }

  add(register: () => void): void {
    if (this.#group) this.#group.push(register);
    else register();
  }

  group(name: string, body: () => void): void {
    const outer = this.#group;
    const own: (() => void)[] = [];
    this.#group = own;
    body();
    this.#group = outer;
    if (own.length > 0) {
      this.add(() =>
        this.#runner.describe(name, () => {
          for (const register of own) register();
        }),
      );
    }
  }
}

async function withContext(
  backend: Backend,
  body: (context: SpecContext) => Promise<void>,
  clocked = false,
): Promise<void> {
  const database = await backend.create();
  const clock = clocked ? await database.clock?.() : undefined;
  const open: Store[] = [];
  const closeAll = async () => {
    for (const store of open.splice(0)) await store.close();
  };
  const openStore = async (its: Clock | undefined = clock) => {
    const store = await database.open(its);
    open.push(store);
    return store;
  };
  try {
    const context: SpecContext & { clock: MovableClock | undefined } = {
      backend,
      clock,
      store: await openStore(),
      async another(its?: Clock) {
        if (!backend.capabilities.sharedAccess) await closeAll();
        return openStore(its);
      },
      async reopen() {
        await closeAll();
        context.store = await openStore();
        return context.store;
      },
    };
    await body(context);
  } catch (error) {
    // What went wrong first is what matters, even if the database can't be closed after it.
    await Promise.allSettled([closeAll().then(() => database.destroy())]);
    throw error;
  }
  await closeAll();
  await database.destroy();
}
