/** The rules that readers, writers, the store and the resolver of dead writers follow. Each prevents a stale hit. */
export const RULES = {
  'lease first': 'a reader takes its lease before it asks the database',
  'seal of the lease': 'a reader fills under the stamps of its lease, not under those of the moment',

  'locked old row': 'a writer learns what the row was once it has locked it',
  'old row': 'a writer touches what the row was',
  'new row': 'a writer touches what the row becomes',
  'mark before COMMIT': 'a writer marks before COMMIT',
  'settle after COMMIT': 'a writer settles after COMMIT',

  'definer marks': 'who defines something marks the catalog with the tables',
  'catalog leased first': 'a reader leases the catalog before it reads it',
  'catalog compared': 'a reader compares the catalog that its query was planned by with that of a lease',
  'catalog compared last': 'a reader leases the catalog after what its query depends on',

  'missing is a miss': 'a stamp that is missing makes a miss',
  'unique stamps': 'a stamp that is made again differs from all before it',
  'mark deletes': 'a mark deletes the stamps of what it touches',
  'wide mark deletes': 'a mark that cannot tell what it touches deletes the stamp of the table',
  'record of a writer': 'a lease is refused while a writer is in flight on what it is for',
  'record of a wide writer':
    'a lease is refused while a writer is in flight that cannot tell what it touches',
  'unknown schemes': 'a lease is refused while a writer is in flight that did not know its scheme',
  'forgotten schemes': 'the stamp of the table goes with a scheme that makes room for others',
  'schemes in use': 'a scheme of the query at hand does not make room for others',
  'lost registry, lease': 'a lease that finds no registry deletes the stamp of the table',
  'lost registry, mark': 'a mark that finds no registry deletes the stamp of the table',
  'quarantine, lease': 'a registry that a lease makes anew is in quarantine',
  'quarantine, mark': 'a registry that a mark makes anew is in quarantine',
  'lift by nonce': 'only the quarantine that was asked about is lifted',

  'kept when not taken': 'a mark that the store does not take is kept, and its tables are dropped',
  'dropped after the end':
    'the tables of a mark that was not taken are dropped after its transaction has ended',
  'a mark made up for':
    'what is told to the store of a transaction that has not ended is a mark, and not only a drop',
  'untrusted while owed': 'a process does not trust a store that has not been told of its writes',

  'steps that matter': 'a step that matters makes a miss',
  'mark counts': 'a mark makes a stamp count the steps that it adds',
  'vague mark deletes': 'a mark that cannot tell its steps deletes the stamp that counts',
  'whole trail': 'a trail that does not reach back makes a miss',
  'same entry': 'only the entry that was found takes another seal',
  'seal that was seen': 'an entry takes the seal that was seen, not the stamps of the moment',

  'fate, not age': 'a writer in flight is settled for only once the database has decided its fate',
  'fate of the newest': 'a transaction counts as running also if it is newer than all that have ended',
  'patient lift': 'a quarantine is lifted only after all have ended that had written when it was found',
  'wait of its own': 'each quarantine waits for those whom it was found with, not for those of one before',
} as const;

export type Rule = keyof typeof RULES;

/** Whether a rule is kept. */
export type Keeps = (rule: Rule) => boolean;

export function allBut(broken?: Rule): Keeps {
  return rule => rule !== broken;
}
