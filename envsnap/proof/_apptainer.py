"""The scripts that Apptainer and SingularityCE put into an image, by the SHA-256 of their texts.

Every text that `internal/pkg/build/sources` of github.com/apptainer/apptainer has had since its
first release, read on 2026-11-21, and of github.com/sylabs/singularity in its whole history, read
on 2026-11-22 at ec0433152.
"""

from __future__ import annotations

from collections.abc import Mapping

FOLDER = "/.singularity.d"
OWN: Mapping[str, frozenset[str]] = {
    "actions/exec": frozenset({
        "64113bd45d31aabef1dca7101183b114daf8ec9d60fe7749ad75a631e37d2f53",
        "8205216420b5aec68f7287a1619f4ff50252eccd0bf729f5253312b1b5171213",
        "d4898a0562b8b0357fb4cbf49accfdb795b7f997b056548aaa0b3efc51371c4e",
    }),
    "actions/run": frozenset({
        "3db59f9d927505552f58540ce23c0d740fc25b27d21b46bf663e76ef379e48c9",
        "ba9a6d5d67132f654afb2c2ed17133c67894c412c3109f2abe4f69405dbf970f",
        "c49df2618722cb0ff47f41c75f038911b742e2d229829a29900f8f753f1f7311",
    }),
    "actions/shell": frozenset({
        "2848c78fd1730f07ba5aff141031fae6d4bb897d4bc697217a907d155b6a7cdb",
        "9281f15dbc7bee3fc2f929959b1e5cb77a1da2351f6ed29f2ab09c74cc8c59b8",
        "96b8c879a22ad2614761a204465c1542b8f61a29cba149ad48e59afe1532ce36",
    }),
    "actions/start": frozenset({
        "1914bff6592d2352691d4b84bed3a48d90035c6a5040f1dc671d5a18281541e2",
        "252f90ab7ba52c04780dfb059c790c1f0c6047fa8dc309c312fd1d6762d2901e",
        "d063a3dcf60a6da26507274ae4c5c73b4c3f0a8157c7e5b1327ef35c1580d70f",
    }),
    "actions/test": frozenset({
        "3303859711cc067a6a1c204ddfdf0dfd039695d8b83a8a74fcd5921c3cf5e25f",
        "756f09fe099b145d2661121c76609a1b4b68ca2ff779655843afdbf2ca0d31e9",
        "b3025e274cad2173a725838593874c0c57ace984615158c08ad5fcffdcf2d5e6",
        "e63bcaea5db1f76e9aa894b0d85299ddfca8543588eccd5cbb2c96e3982259f6",
        "e798fb67c7c49467b1b685307d08a992ae6f8df9130c8fc86bb80636243e5003",
        "fc25bd083f3b83dce0d3fc8053169fa3ee2b2905e37fdacebed4bc73763d2fcc",
    }),
    "env/01-base.sh": frozenset({
        "0ff7f75c7fff71e5c7378543a410148c679823d3f639c84dfd0ee0fb97138650",
        "2217f5c1dddbc6a4018be7ada896c3a4ae92f8150266045ac0906d5efef1e3f7",
        "29de2755221c230b225640d0ff9426397bc758e9f30918fe844464fc9b6bf3e8",
        "9faa3e63d919f2654c68e9fae7a886b14354f84e386fb3258def37c8ad57cf28",
        "ca551337fb6d27ad7647c958a45436dfc7e8fd7a25d2758d410b229a9e22a4cd",
        "da2234f2032a8889f903935df841de3cdb0d8150a6c94e57468de3ea7425952f",
        "f3109c12c5b99874a52f0f04219514e1fe4e4073fcd0dfa8772553c6a50078dd",
    }),
    "env/90-environment.sh": frozenset({
        "4e7a3d39c58e36519f92b79178e736282642e178b95b86688b21c4c009c7b489",
        "639fcabadce3576a849f4a17bec6855ba557f5cc0810003cc95afb76c8c163f9",
        "78840c061547f15fe51b798f13780cd84311a1616f0389dbc366d561e88828f8",
        "eccafb1992ef36ab0653fce3c9cd856992fa3b4fdeb5872226bcf6f33fbbc384",
        "f59d153fefde5cea21d8d09d6e9f1c740920a4c61a1df4aa3ac44ae69ef6d775",
    }),
    "env/91-environment.sh": frozenset({
        "4e7a3d39c58e36519f92b79178e736282642e178b95b86688b21c4c009c7b489",
        "78840c061547f15fe51b798f13780cd84311a1616f0389dbc366d561e88828f8",
        "f59d153fefde5cea21d8d09d6e9f1c740920a4c61a1df4aa3ac44ae69ef6d775",
    }),
    "env/94-appsbase.sh": frozenset({
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    }),
    "env/95-apps.sh": frozenset({
        "10048cd50c1d86fca242286b11a23c6ee1f0f9ac99a2f96be0ecb2d4a3061a31",
        "259df4e4d986774830b76d0a1ef5b85037638f28adf02455bb26fad5554c0612",
        "5a39aa85ec6c4c7115c5d15a2e04cb29c1ff1d2d8cba7a50282cbe05e4126f6a",
        "6b8549ce945d52714b5598008262fea12b03eae1cd45ca14de47934c19726459",
        "8281ca191225faaeb3a0fc251f37e9603df056a4ba51cb875039ce8e241958cb",
        "c8abfdd39c6eb77dbfef100a4476fc97106850bedb553d4ea9cfc52fb686418e",
        "d2ce052086052a81537949bf8e80dfddb86af19afa42db9a75c4837c283754ef",
        "ea5d3b8db4c872ef5e642d4c8ca87ecf9d093eaacf1f761d47ca6e5b950f3bad",
    }),
    "env/99-base.sh": frozenset({
        "03d00ded991c8615807c5f7c7e17bb70c253f88e75b358cd1206ffd104ad82a9",
        "3647490eb04d6fbc780d91fcbc62338540550914b92e537bf8a690be1c977d2b",
        "52b0b7ba098dd9c18e96aec587b38ea67d222bb014e28d4da68ecc45c29d6b85",
        "76d7fe2069739a33d7c554f7dcda0ae2d701028bee3ebc506e7ca5c255f2261b",
        "934745c5bda84caf9ad85a476f8fadae88de57722380900823564ff12576c921",
        "95b5b10ee0bdbcb0053ff231855c497b91e020b6b7de38ac164f056fb7407398",
        "9c257908a993ae0b7d5171442b29f14ff9288095789452f5db705fa13e2285fe",
        "bc9dc737f91b3129b338f59a339e4d8938c5eb9a6bdbf4afe859349ca8203c4d",
        "c3fda9623276aec33c6994bca2b6c233d6ca7daf727a1a86621eb39a7ecadb90",
        "c825f8e7566d7db823c13f8233aa58f35c36ed3a2cccd72afcc098d84c5dcd58",
    }),
    "env/99-runtimevars.sh": frozenset({
        "212953667bc549218590c279a3235b40c7d799b37a261b28578110f1d6914e32",
        "257ed7635cb69e9e562b480f705d8cdc859b30ef2ee2baaa31e8cf2b966595f3",
        "7e51810c27be6da077c6533bef7ede292e134e03baf8b8e2cf7a62d85c6da252",
        "8c542f5d15a522a26019bb91aa48c91076c02282e3d548366f742f4de2f720c5",
        "92eb7afbbedc63c03bb80855b162dfd70a8864b655b437f5663cadc0d168a1d6",
        "95f47ff84ad6cb03ea8e80758be09c06bdd4e5ce562656298b1d7de57b7cb4f0",
    }),
    "runscript": frozenset({
        "2053ecefd216b249007bd4c6988a85a3fd7cfd8e60ae6926c752794fb0b2ca9b",
        "5851a14089d3ebf50995e94c88c8794dbd41c8dc35e3c75051438715a6540bc9",
        "720cecf72cf0ce4d57fbf32427eb28089d14c4e52e13c7406c4873ae6e4410a7",
    }),
    "startscript": frozenset({
        "23c666242794f0139d60e1d682c68fa3984c34fc831a5040c6a1611740369547",
        "2de1dab9ee6b054aca3b5415cc5df0bc21702c1b2f358c98ba2f7e5287801605",
        "a8076d3d28d21e02012b20eaf7dbf75409a6277134439025f282e368e3305abf",
    }),
}  # fmt: skip
"""By the path below `FOLDER`."""
