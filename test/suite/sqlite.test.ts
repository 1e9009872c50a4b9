import { defineStoreSuite } from '../../src/testing/index.ts';
import { runner, sqliteBackend } from '../support/backends.ts';

defineStoreSuite(runner, sqliteBackend());
