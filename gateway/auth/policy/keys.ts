/** What a policy's conditions and variables see of a request: context keys and their values. */

/**
 * Values of a context key by its name in lower case; undefined: the key is not in the request. An empty list counts as
 * absent, as AWS treats it.
 */
export interface ContextKeys {
  get(name: string): readonly string[] | undefined
}
