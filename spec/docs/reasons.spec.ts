import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Bypass } from '../../lib/config/call.js';
import { reasonsInLib } from './reasons.js';

const PAGE = join(import.meta.dirname, '..', '..', '..', 'docs', 'troubleshooting.md');

const BYPASSES: Readonly<Record<Bypass, true>> = {
  call: true,
  scope: true,
  ops: true,
  never: true,
  unconfigured: true,
};

/** Reasons of one word or with a colon: those of views have the name of a field and its value. */
const OTHERS = [...Object.keys(BYPASSES), 'refused: …', 'disabled', 'miss', 'error', 'HEAD', '…: …'];

describe('the page on reasons', () => {
  it('has every reason that the library gives, and no other', () => {
    const rows = readFileSync(PAGE, 'utf8')
      .split('## In the log')[0]!
      .matchAll(/^\| (`.*?) \|/gm);
    const found = [...rows].flatMap(([, cell]) =>
      [...cell!.matchAll(/(`+) ?(.*?) ?\1/g)].map(([, , text]) => text!),
    );
    expect(found).to.have.members([...OTHERS, ...reasonsInLib()]);
  });
});
