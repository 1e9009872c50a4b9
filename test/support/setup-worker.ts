import { afterAll } from 'vitest';
import { cleanUpAfterFile } from './after-file.ts';
import { removeRedirectingVariables } from './environment.ts';

// Runs anew for each file, also where a process runs several of them.
removeRedirectingVariables();
afterAll(cleanUpAfterFile);
