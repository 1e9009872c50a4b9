import { removeRedirectingVariables } from './environment.ts';

removeRedirectingVariables();
