const FREE_BYTES = 64 << 20

/**
 * What a search among damaged bytes may read in vain, so that its time follows their number whatever they are: bytes that look like
 * the beginning of something at every place would be read once for each.
 */
export class SearchBudget {
  private readonly perByte: number
  private spent = 0

  /** So many bytes may be read in vain for each byte that the search has got on. */
  constructor(perByte: number) {
    this.perByte = perByte
  }

  /** Whether a search that has got on so far may try one more. The last one may be as long as it likes. */
  allows(advanced: number): boolean {
    return this.spent <= FREE_BYTES + advanced * this.perByte
  }

  /** So many bytes were read in vain. */
  spend(bytes: number): void {
    this.spent += bytes
  }
}
