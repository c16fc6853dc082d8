// What the edge's checks give: a value, or a sentence that says what is wrong with it. Never an exception.
export type Parsed<T> = { readonly ok: true; readonly value: T } | {
  readonly ok: false;
  readonly problem: string;
};
