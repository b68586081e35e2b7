/** What the server declares in the page: nothing about a single metric, range or preference is written down here. */

/**
 * @typedef {object} Metric
 * @property {string} key
 * @property {string} group
 * @property {string} label
 * @property {string} unit
 * @property {boolean} isPercent  Sent as a ratio, shown as percent: 0.783 is 78.3 %.
 * @property {number} decimals  As shown, of the percents where it is shown as percent.
 * @property {number|null} warn  As sent; a value that has come so far is worth a look. null: there is no such line.
 * @property {number|null} critical  As sent; a value that has come so far must not wait.
 * @property {"above"|"below"} worse  In which direction it gets worse.
 * @property {"float"|"int"|"str"} type
 * @property {string[]} texts  What a text usually is, in an order of its own; it may be another one.
 * @property {boolean} isHero  Large, first, with its chart; its value is in the page's title.
 * @property {boolean} isSigned  Its sign is shown, in the colours of profit and loss.
 */

/** @typedef {{key: string, label: string, seconds: number}} Range A length of time to look back over. */

/**
 * @typedef {object} Preference
 * @property {string} name
 * @property {string} label
 * @property {[string, string][]} choices  Pairs of value and label.
 * @property {string} default  One of the values.
 */

/**
 * @typedef {object} Catalogue
 * @property {string} base  Below this address the page has the stream and history: `/stream/`, or that of a share link.
 * @property {boolean} isShared  The page is what a share link shows.
 * @property {number} interval  Seconds between two snapshots.
 * @property {string} currency  The ISO 4217 code of amounts; empty: they are shown as plain numbers.
 * @property {number} served  The server's clock when it made the page, Unix seconds.
 * @property {import("./snapshot.js").Snapshot|null} latest  The newest snapshot by then.
 * @property {number|null} latestAge  Seconds since it had come to the server; null: it never came, it was read from
 *   history at the server's start.
 * @property {{key: string, label: string}[]} groups  In the page's order.
 * @property {Metric[]} metrics  In the page's order.
 * @property {Range[]} ranges
 * @property {Preference[]} preferences  One of them, `range`, has the ranges' keys as its values.
 */

/** @param {Document} document  @returns {Catalogue} from the page's data block; amounts have the currency as their unit */
export function readCatalogue(document) {
  const block = document.getElementById("catalogue");
  if (!block) throw new Error("The page has no catalogue.");
  /** @type {Catalogue} */
  const catalogue = JSON.parse(block.textContent ?? "");
  for (const metric of catalogue.metrics) if (metric.unit === "currency") metric.unit = catalogue.currency;
  return catalogue;
}

/** @param {Metric} metric  @returns {boolean} */
export function isNumeric(metric) {
  return metric.type !== "str";
}
