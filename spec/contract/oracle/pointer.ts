/** An entity of any type, for a relation that may refer to several types. */
export class Pointer {
  readonly entity: 'Item' | 'Shelf';
  readonly id: number;

  constructor(entity: 'Item' | 'Shelf', id: number) {
    this.entity = entity;
    this.id = id;
  }
}
