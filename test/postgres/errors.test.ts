import { runInNewContext } from 'node:vm';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { StoreBusyError, StoreUnavailableError, ValidationError } from '../../src/errors.ts';
import { sparesSession } from '../../src/postgres/errors.ts';
import { translate } from '../../src/postgres/translate.ts';

const HERE = {
  endpoint: { host: 'db', port: 5432, database: 'kode', user: 'app' },
  schema: 'agents',
  writes: true,
  inDoubt: true,
};

function fromServer(code: string, message: string, severity = 'ERROR'): Error {
  return Object.assign(new pg.DatabaseError(message, 0, 'error'), { code, severity });
}

describe('an error of the driver', () => {
  it('A4 about a value is a ValidationError, which invites nobody to try again', () => {
    for (const code of ['22003', '22P02', '22021', '22P05', '54000']) {
      const error = translate(fromServer(code, 'the value'), HERE);
      expect(error).toBeInstanceOf(ValidationError);
      expect((error as Error).message).toContain(code);
    }
  });

  it('A5 that ends the session in mid-write says that the outcome is unknown', () => {
    for (const code of ['57P01', '57P02']) {
      const error = translate(fromServer(code, 'terminating connection', 'FATAL'), HERE);
      expect(error).toBeInstanceOf(StoreUnavailableError);
      expect(error).toMatchObject({ outcome: 'unknown' });
      expect((error as Error).message).toMatch(/stored is unknown/);
      const reading = translate(fromServer(code, 'terminating connection', 'FATAL'), {
        ...HERE,
        writes: false,
      });
      expect(reading).toMatchObject({ outcome: 'none' });
      expect((reading as Error).message).not.toContain('unknown');
    }
  });

  it('that the server gave as its answer has stored nothing', () => {
    expect(translate(fromServer('57014', 'canceling statement'), HERE)).toBeInstanceOf(StoreBusyError);
    for (const code of ['57014', '40001', '42P01', '53100', '42501']) {
      expect(translate(fromServer(code, 'x'), HERE)).toMatchObject({ outcome: 'none' });
    }
  });

  it('P1 says what it says whatever language the server speaks', () => {
    const german = (code: string, severity: string, file = 'execMain.c') =>
      Object.assign(fromServer(code, 'Meldung', severity), { file });
    for (const code of ['57014', '40001', '42P01', '42501']) {
      expect(translate(german(code, 'FEHLER'), HERE), code).toMatchObject({ outcome: 'none' });
    }
    // Whether it is an error or a panic, which may have come after the commit, only its words would say.
    for (const code of ['53100', '58030', 'XX000', '57P01']) {
      expect(translate(german(code, 'PANIK'), HERE), code).toMatchObject({ outcome: 'unknown' });
    }
    for (const code of ['23505', '40001', '40P01', '55P03', '57014']) {
      expect(sparesSession(german(code, 'FEHLER')), code).toBe(true);
    }
    // A replica ends sessions for its recovery.
    expect(sparesSession(german('40001', '致命错误', 'postgres.c'))).toBe(false);
    expect(sparesSession(german('40001', 'FATAL', 'postgres.c'))).toBe(false);
  });

  it('R2 is recognised by its shape, in whichever realm it was made', () => {
    const foreign = (code: string) =>
      runInNewContext(`Object.assign(new Error('it failed'), { code: '${code}' })`);
    expect(foreign('ECONNREFUSED')).not.toBeInstanceOf(Error);
    expect(translate(foreign('ECONNREFUSED'), HERE)).toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining('pg_isready'),
    });
    expect(translate(foreign('ECONNRESET'), HERE)).toMatchObject({ outcome: 'unknown' });
    const both = runInNewContext(
      `new AggregateError([Object.assign(new Error('::1'), { code: 'ECONNREFUSED' })], 'all of them')`,
    );
    expect(translate(both, HERE)).toMatchObject({ code: 'STORE_UNAVAILABLE' });
  });

  it('P7 about a privilege says which one, and how it is granted', () => {
    const message = (text: string) => (translate(fromServer('42501', text), HERE) as Error).message;
    expect(message('permission denied for table kode_data_heads')).toMatch(
      /GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "agents" TO "app"/,
    );
    expect(message('permission denied for sequence kode_data_keys')).toMatch(/GRANT USAGE ON ALL SEQUENCES/);
    expect(message('permission denied for schema agents')).toMatch(/GRANT CREATE, USAGE ON SCHEMA "agents"/);
    expect(message('permission denied for database kode')).toMatch(/GRANT CREATE ON DATABASE "kode"/);
    expect(message('must be owner of table kode_data_heads')).toMatch(/as the role that created them/);
  });
});
