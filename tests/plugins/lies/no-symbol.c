/* Exports something else. */
extern const int mu_plug;
const int mu_plug = 1;
