import { defineStoreSuite } from '../../src/testing/index.ts';
import { jsonBackend, runner } from '../support/backends.ts';

defineStoreSuite(runner, jsonBackend());
