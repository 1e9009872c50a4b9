import { defineStoreSuite } from '../../src/testing/index.ts';
import { postgresBackend, runner } from '../support/backends.ts';

defineStoreSuite(runner, postgresBackend('postgres18'));
