import type { SqlContext } from '../../src/sql/context.ts';
import { Directory } from '../../src/sql/directory.ts';
import type { Driver, Script } from '../../src/sql/port/driver.ts';
import { render, type Shape, type Statement } from '../../src/sql/port/statement.ts';
import type { SqlValue } from '../../src/sql/port/values.ts';

/** A statement as the database gets it. */
export interface Recorded {
  name: string;
  statement: Statement<Shape>;
  text: string;
  params: readonly SqlValue[];
}

/** A context whose reads are written down: the tests explain exactly what ran. */
export function recording(driver: Driver): { context: SqlContext; recorded: Recorded[] } {
  const recorded: Recorded[] = [];
  const record: Record = (statement, params) => {
    recorded.push({ name: statement.name, statement, text: render(statement, driver.dialect), params });
  };
  const recorder = recorderOf(driver, record);
  return { context: { driver: recorder, directory: new Directory(recorder) }, recorded };
}

type Record = (statement: Statement<Shape>, params: readonly SqlValue[]) => void;

function recorderOf(driver: Driver, record: Record): Driver {
  return {
    dialect: driver.dialect,
    clock: driver.clock,
    time: driver.time,
    read: (statement, params) => {
      record(statement, params);
      return driver.read(statement, params);
    },
    snapshot: (script) => driver.snapshot(() => watched(script(), record)),
    analyse: (script) => driver.analyse(() => watched(script(), record)),
    write: (...args) => driver.write(...args),
    urgent: (...args) => driver.urgent(...args),
    keepUrgent: () => driver.keepUrgent(),
    bounded: (bounds) => recorderOf(driver.bounded(bounds), record),
    batch: (...args) => driver.batch(...args),
    transact: (...args) => driver.transact(...args),
    reserveKeys: (...args) => driver.reserveKeys(...args),
    notify: () => driver.notify(),
    subscribe: (...args) => driver.subscribe(...args),
    backup: (...args) => driver.backup(...args),
    endAll: () => driver.endAll(),
    close: () => driver.close(),
  };
}

/** The same script; what it asks for is told. */
export function* watched<T>(script: Script<T>, record: Record): Script<T> {
  let next = script.next([]);
  while (!next.done) {
    if ('statement' in next.value) record(next.value.statement, next.value.params);
    next = script.next(yield next.value);
  }
  return next.value;
}
