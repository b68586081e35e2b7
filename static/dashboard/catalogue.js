/** The metrics, as the server declares them in the page: nothing about a single metric is written down here. */

/**
 * @typedef {object} Metric
 * @property {string} key
 * @property {string} group
 * @property {string} label
 * @property {string} unit
 * @property {number} decimals
 * @property {"float"|"int"|"str"} type
 * @property {boolean} isHero  Large, first, with its chart; its value is in the page's title.
 * @property {boolean} isSigned  Its sign is shown, in the colours of profit and loss.
 */

/**
 * @typedef {object} Catalogue
 * @property {number} interval  Seconds between two snapshots.
 * @property {number} served  The server's clock when it made the page, Unix seconds.
 * @property {import("./snapshot.js").Snapshot|null} latest  The newest snapshot by then.
 * @property {{key: string, label: string}[]} groups  In the page's order.
 * @property {Metric[]} metrics  In the page's order.
 */

/** @param {Document} document  @returns {Catalogue} from the page's data block */
export function readCatalogue(document) {
  const block = document.getElementById("catalogue");
  if (!block) throw new Error("The page has no catalogue.");
  return JSON.parse(block.textContent ?? "");
}

/** @param {Metric} metric  @returns {boolean} */
export function isNumeric(metric) {
  return metric.type !== "str";
}
