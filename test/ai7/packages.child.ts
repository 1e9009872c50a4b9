import { loadSdk } from '../../src/agent/sdk.ts';
import { modelAt } from '../agent/provider/provider.ts';

console.log(`isStepCount: ${'isStepCount' in (await loadSdk())}`);
console.log(modelAt('anthropic', 'http://localhost').specificationVersion);
