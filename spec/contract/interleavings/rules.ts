/** The rules that readers, writers, the store and the resolver of dead writers follow. Each prevents a stale hit. */
export const RULES = {
  'lease first': 'a reader takes its lease before it asks the database',
  'seal of the lease': 'a reader fills under the stamps of its lease, not under the current ones',

  'locked old row': 'a writer reads the old row after it has locked it',
  'old row': 'a writer marks the dependencies of the old row',
  'new row': 'a writer marks the dependencies of the new row',
  'mark before COMMIT': 'a writer marks before COMMIT',
  'settle after COMMIT': 'a writer settles after COMMIT',

  'definer marks': 'a transaction that redefines something marks the catalog with the tables',
  'catalog leased first': 'a reader leases the catalog before it reads it',
  'catalog compared': 'a reader compares the catalog of its plan with that of a lease',
  'catalog compared last': 'a reader leases the catalog after the dependencies of its query',

  'missing is a miss': 'a missing stamp is a miss',
  'unique stamps': 'a new stamp differs from all earlier ones',
  'mark deletes': 'a mark deletes the stamps of its dependencies',
  'wide mark deletes': 'a mark of unknown rows deletes the stamp of the table',
  'record of a writer': 'a lease is refused while a writer of its dependencies is in flight',
  'record of a wide writer': 'a lease is refused while a writer of unknown rows is in flight',
  'unknown schemes': 'a lease is refused while a writer that did not know its scheme is in flight',
  'forgotten schemes': 'the eviction of a scheme deletes the stamp of the table',
  'schemes in use': 'a scheme of the current query is not evicted',
  'lost registry, lease': 'a lease that finds no registry deletes the stamp of the table',
  'lost registry, mark': 'a mark that finds no registry deletes the stamp of the table',
  'quarantine, lease': 'a registry that a lease creates is in quarantine',
  'quarantine, mark': 'a registry that a mark creates is in quarantine',
  'lift by nonce': 'a reader lifts only the quarantine that it asked about',

  'kept when not taken': 'a failed mark is kept, and its tables are dropped',
  'dropped after the end': 'the tables of a failed mark are dropped after its transaction has ended',
  'repeated mark': 'for an open transaction, the store gets a mark, and not only a drop',
  'untrusted while owed': 'a process does not trust a store that lacks its writes',

  'deltas that matter': 'a delta that matters is a miss',
  'mark counts': 'a mark raises the count of a stamp by the deltas that it adds',
  'vague mark deletes': 'a mark of unknown deltas deletes the counted stamp',
  'whole delta log': 'a delta log that does not reach back is a miss',
  'same entry': 'only the entry that was found is resealed',
  'seal that was seen': 'an entry is resealed with the stamps that were read, not with the current ones',

  'writers before the lookup':
    'a joined row is looked up after it was seen that no writer of such rows is in flight',
  'deltas after the lookup': 'the row deltas are read again after a joined row was looked up',
  'same entry after the lookup': 'a lookup does not judge an entry that was sealed after it',
  'deltas of joined rows': 'a row delta shows a joined row that satisfied the condition meanwhile',

  'fate, not age':
    'a reader settles for a writer in flight only after the database has decided its transaction',
  'fate of the newest': 'a transaction newer than all ended ones counts as running',
  'patient lift': 'a quarantine is lifted only after all writers in flight at its discovery have ended',
  'wait of its own': 'each quarantine waits for the writers of its own discovery, not of an earlier one',
} as const;

export type Rule = keyof typeof RULES;

/** Whether a rule is kept. */
export type Keeps = (rule: Rule) => boolean;

export function allBut(broken?: Rule): Keeps {
  return rule => rule !== broken;
}
