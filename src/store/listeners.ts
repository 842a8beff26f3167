/** What wants to hear of one kind of event, called in the order in which it was added. */
export class Listeners<Event extends unknown[]> {
  // Replaced, never changed: whoever adds or removes one while they are called changes the next call.
  private list: readonly ((...event: Event) => void)[] = []

  /** To be looked at before an event is put together, so that nobody listening costs nothing. */
  get count(): number {
    return this.list.length
  }

  /** Returns what takes the listener away again; twice is once. */
  add(listener: (...event: Event) => void): () => void {
    const own = (...event: Event): void => listener(...event)
    this.list = [...this.list, own]
    return () => {
      this.list = this.list.filter((each) => each !== own)
    }
  }

  call(...event: Event): void {
    for (const listener of this.list) listener(...event)
  }
}
