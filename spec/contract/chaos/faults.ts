import { crashes } from './crashes.js';
import type { Fault } from './fault.js';
import { stalls } from './stalls.js';

export const faults: readonly Fault[] = [...crashes, ...stalls];
