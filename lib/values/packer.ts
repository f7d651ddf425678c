import { Packr } from 'msgpackr';

/** Encodes plain data as MessagePack. */
export interface Packer {
  pack(value: unknown): Uint8Array;
  /** @throws an error of `msgpackr`, on other bytes */
  unpack(bytes: Uint8Array): any;
}

/** Also `undefined`, which differs from an absent key in hydration, and bigints. Each object's keys are written once. */
export const exactPacker: Packer = new Packr({
  moreTypes: true,
  useBigIntExtension: true,
  copyBuffers: true,
});

/** Only what every implementation of MessagePack reads. */
export const plainPacker: Packer = new Packr({ useRecords: false });
