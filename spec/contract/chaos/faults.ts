import { crashes } from './crashes.js';
import { databaseCrashes } from './database_crashes.js';
import { deliveries } from './deliveries.js';
import type { Fault } from './fault.js';
import { growth } from './growth.js';
import { losses } from './losses.js';
import { memoryLimits } from './memory_limits.js';
import { stalls } from './stalls.js';
import { wires } from './wires.js';

export const faults: readonly Fault[] = [
  ...crashes,
  ...databaseCrashes,
  ...stalls,
  ...memoryLimits,
  ...losses,
  ...deliveries,
  ...wires,
  ...growth,
];
