/** Metrics as the server declares them, for tests: one signed number, one plain number, one text. */

/** @typedef {import("../../static/dashboard/catalogue.js").Metric} Metric */

/** @type {Metric} */
export const PNL = { key: "pnl", group: "portfolio", label: "P&L", unit: "currency", decimals: 2, type: "float", isHero: true, isSigned: true };
/** @type {Metric} */
export const CPU = { key: "cpu", group: "system", label: "CPU", unit: "%", decimals: 2, type: "float", isHero: false, isSigned: false };
/** @type {Metric} */
export const REGIME = { key: "regime", group: "ai", label: "Regime", unit: "", decimals: 0, type: "str", isHero: false, isSigned: false };
