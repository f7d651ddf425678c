/** Each key of the lists once, and the index of each list's keys in these. */
export function distinct(lists: readonly (readonly string[])[]): { keys: string[]; places: number[][] } {
  const placeOf = new Map<string, number>();
  const places = lists.map(list =>
    list.map(key => {
      const known = placeOf.get(key);
      if (known !== undefined) {
        return known;
      }
      placeOf.set(key, placeOf.size);
      return placeOf.size - 1;
    }),
  );
  return { keys: [...placeOf.keys()], places };
}
