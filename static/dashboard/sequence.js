/**
 * A client's place in the one published sequence: what is new to it, and what it lacks.
 *
 * Only ids order. A timestamp is the publisher's clock, which may be set back or ahead at any time.
 */

/** @typedef {import("./snapshot.js").Snapshot} Snapshot */

/**
 * @typedef {object} Missing Snapshots that were published and did not arrive here.
 * @property {number} after  The id of the last one before them.
 * @property {number} before  The id of the first one after them. Where it is the smaller of the two, the server's
 *   sequence is another one than before (its database was replaced): nothing earlier belongs to it.
 * @property {boolean} isGone  The server says that they cannot be had any more. Else history may have them.
 */

export class Sequence {
  /** @type {number|null} Id of the newest snapshot: the resume cursor. */ last;

  /** @param {number|null} last the id of the newest snapshot that is here already */
  constructor(last) {
    this.last = last;
  }

  /**
   * Take `snapshot` for the newest.
   * @param {Snapshot} snapshot
   * @returns {{missing: Missing|null}|null} null where it is none, or not newer than the last one: drop it
   */
  take(snapshot) {
    if (!Number.isSafeInteger(snapshot?.id)) return null;
    const { last } = this;
    if (last !== null && snapshot.id <= last && !this.#isFirstOfAnother(snapshot)) return null;
    this.last = snapshot.id;
    return { missing: findMissing(last, snapshot) };
  }

  /** Does the server answer our very place with "nothing of it is known here"? @param {Snapshot} snapshot */
  #isFirstOfAnother({ id, missed }) {
    return missed !== undefined && missed.after === this.last && missed.before === id;
  }
}

/** @param {number|null} last  @param {Snapshot} snapshot  @returns {Missing|null} */
function findMissing(last, { id, previous, missed }) {
  if (missed) return { after: missed.after, before: id, isGone: true };
  // Null: not even the publisher knows what came before. What we have may not be all.
  return last === null || previous === last ? null : { after: last, before: id, isGone: false };
}
