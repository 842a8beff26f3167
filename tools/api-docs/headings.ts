/** The anchors that the viewers of Markdown give to headings. */
export class Headings {
  private readonly counts = new Map<string, number>()

  /** The anchor of the next heading; one that was there before gets a number. */
  add(title: string): string {
    const anchor = title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_\- ]/gu, '')
      .replaceAll(' ', '-')
    const count = this.counts.get(anchor) ?? 0
    this.counts.set(anchor, count + 1)
    return count === 0 ? anchor : `${anchor}-${count}`
  }
}
